//! Ants, colonies and workloads from any text, as TOML and as JSON.
#![no_main]

#[allow(dead_code, reason = "a sweep is another target's")]
#[path = "../../crates/presets/tests/hostile/sound.rs"]
mod sound;

use libfuzzer_sys::fuzz_target;
use sound::{ant_is_sound, colony_is_sound, took, workload_is_sound};
use vram_presets::{Syntax, WorkloadSpec, ant_from_text, colony_from_text, workload_from_text};
use vram_workload::{Extent, Shape};

fuzz_target!(|text: &str| {
    for syntax in [Syntax::Toml, Syntax::Json] {
        took(ant_from_text(text, syntax), ant_is_sound);
        took(colony_from_text(text, syntax), colony_is_sound);
        took(workload_from_text(text, syntax), |spec| {
            workload_is_sound(spec);
            shapes_are_sound(spec);
        });
    }
});

/// Refused, or small enough that no product wraps: arithmetic is checked in a fuzz build.
fn shapes_are_sound(spec: &WorkloadSpec) {
    for amp in [false, true] {
        for out_dim in [1, spec.colony.seq_len] {
            if let Ok(shape) = Shape::new(spec, out_dim, amp) {
                let parameters = Extent::Parameters.of(&shape) as usize;
                let sizes = [shape.state_len(), shape.tokens(), parameters];
                assert!(sizes.iter().all(|&n| n >= 1), "{shape:?}");
            }
        }
    }
}
