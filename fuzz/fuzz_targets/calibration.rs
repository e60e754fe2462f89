//! Calibrations from any text, and what they predict.
//!
//! An input is the text, and behind a NUL byte the terms to predict with, eight bytes each.
#![no_main]

#[path = "../../crates/fit/tests/hostile/sound.rs"]
mod sound;

use libfuzzer_sys::fuzz_target;
use sound::calibration_is_sound;
use vram_fit::calibration::Calibration;

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|&b| b == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(at);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(calibration) = Calibration::from_toml(text) else { return };

    let (eights, _) = rest.get(1..).unwrap_or_default().as_chunks();
    let mut terms: Vec<u64> = eights.iter().map(|b| u64::from_le_bytes(*b)).collect();
    terms.extend([0, u64::MAX]);
    calibration_is_sound(&calibration, &terms);
});
