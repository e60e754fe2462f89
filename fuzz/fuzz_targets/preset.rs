//! Ants, colonies and workloads from any text, as TOML and as JSON.
#![no_main]

#[allow(dead_code, reason = "a sweep is another target's")]
#[path = "../../crates/presets/tests/hostile/sound.rs"]
mod sound;

use libfuzzer_sys::fuzz_target;
use sound::{ant_is_sound, colony_is_sound, took, workload_is_sound};
use vram_presets::library::{ant_from_text, colony_from_text, workload_from_text};
use vram_source::text::Syntax;

fuzz_target!(|text: &str| {
    for syntax in [Syntax::Toml, Syntax::Json] {
        took(ant_from_text(text, syntax), ant_is_sound);
        took(colony_from_text(text, syntax), colony_is_sound);
        took(workload_from_text(text, syntax), workload_is_sound);
    }
});
