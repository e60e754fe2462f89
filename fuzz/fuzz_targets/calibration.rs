//! Calibrations from any text, and what they predict.
//!
//! An input is the text, and behind a NUL byte the terms to predict with, eight bytes each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vram_fit::{Calibration, FitError};

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|&b| b == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(at);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(calibration) = Calibration::from_toml(text) else { return };

    let (eights, _) = rest.get(1..).unwrap_or_default().as_chunks();
    let mut terms: Vec<u64> = eights.iter().map(|b| u64::from_le_bytes(*b)).collect();
    terms.extend([0, u64::MAX]);
    is_sound(&calibration, &terms);

    match calibration.to_toml() {
        Ok(written) => {
            let again = Calibration::from_toml(&written);
            assert_eq!(again.as_ref(), Ok(&calibration), "{written}");
        }
        // TOML has no larger integers; what was read from it has none either.
        Err(error) => panic!("read and not written: {error}"),
    }
});

fn is_sound(calibration: &Calibration, terms: &[u64]) {
    let count = calibration.terms.len();
    for tier in &calibration.tiers {
        assert!(count >= 1 && tier.coefficients.len() == count);
        assert!(tier.coefficients.iter().all(|c| c.is_finite()));
        for skip in 0..terms.len() {
            let values: Vec<u64> = terms.iter().cycle().skip(skip).take(count).copied().collect();
            match tier.predict(&values) {
                Ok(_) | Err(FitError::Constants { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(tier.predict(&vec![1; count + 1]).is_err());
    }
}
