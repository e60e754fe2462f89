//! Sweeps from any text, and the specs that their rows hold.
#![no_main]

#[allow(dead_code, reason = "workloads are another target's")]
#[path = "../../crates/presets/tests/hostile/sound.rs"]
mod sound;

use libfuzzer_sys::fuzz_target;
use sound::{sweep_is_sound, took};
use vram_presets::library::{ant_from_text, colony_from_text, sweep_from_text};
use vram_presets::sweep::Sweep;
use vram_source::text::Syntax;

fuzz_target!(|text: &str| {
    for syntax in [Syntax::Toml, Syntax::Json] {
        took(sweep_from_text(text, syntax), |sweep| {
            sweep_is_sound(sweep);
            read_specs(sweep);
        });
    }
});

/// A row's specs may be inline JSON.
fn read_specs(sweep: &Sweep) {
    for row in &sweep.rows {
        let _ = ant_from_text(&row.ant, Syntax::Json);
        let _ = colony_from_text(&row.colony, Syntax::Json);
    }
}
