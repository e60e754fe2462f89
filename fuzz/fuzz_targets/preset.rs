//! Ants, colonies and workloads from any text, as TOML and as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miette::GraphicalReportHandler;
use vram_presets::{
    AntSpec, ColonySpec, PresetError, Syntax, WorkloadSpec, ant_from_text, colony_from_text,
    workload_from_text,
};
use vram_workload::Shape;

fuzz_target!(|text: &str| {
    for syntax in [Syntax::Toml, Syntax::Json] {
        if let Ok(ant) = ant_from_text(text, syntax) {
            ant_is_sound(&ant);
        }
        if let Ok(colony) = colony_from_text(text, syntax) {
            colony_is_sound(&colony);
        }
        match workload_from_text(text, syntax) {
            Ok(spec) => workload_is_sound(&spec),
            Err(error) => render(&error),
        }
    }
});

fn ant_is_sound(ant: &AntSpec) {
    assert!(ant.ring_len >= 1 && ant.slot_dim >= 1, "{ant:?}");
}

fn colony_is_sound(colony: &ColonySpec) {
    let sizes = [colony.batch_size, colony.ptr_update_every, colony.seq_len, colony.synth_len];
    assert!(sizes.iter().all(|&n| n >= 1), "{colony:?}");
}

fn workload_is_sound(spec: &WorkloadSpec) {
    ant_is_sound(&spec.ant);
    colony_is_sound(&spec.colony);
    let again = workload_from_text(&spec.canonical_json(), Syntax::Json);
    assert_eq!(again.ok(), Some(*spec));
    // Refused, or small enough that no product wraps: arithmetic is checked in a fuzz build.
    let _ = spec.ring_buf_bytes();
    for amp in [false, true] {
        for out_dim in [1, spec.colony.seq_len] {
            if let Ok(shape) = Shape::new(spec, out_dim, amp) {
                let sizes = [shape.state_len(), shape.tokens(), shape.parameters()];
                assert!(sizes.iter().all(|&n| n >= 1), "{shape:?}");
            }
        }
    }
}

/// Spans point into text that nobody vouches for; the excerpt is cut at them.
fn render(error: &PresetError) {
    let mut report = String::new();
    assert!(GraphicalReportHandler::new().render_report(&mut report, error).is_ok());
}
