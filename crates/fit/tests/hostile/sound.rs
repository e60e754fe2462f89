//! What the rest of the program relies on of a calibration that was accepted. The fuzz target holds
//! it to the same.

use vram_fit::calibration::Calibration;
use vram_fit::error::FitError;

/// Every prediction with these terms, in every order of their ring, is a number of bytes or a typed
/// error; written and read again it is the same.
pub fn calibration_is_sound(calibration: &Calibration, terms: &[u64]) {
    let count = calibration.terms.len();
    assert!(count >= 1);
    for tier in &calibration.tiers {
        assert_eq!(tier.coefficients.len(), count);
        assert!(tier.coefficients.iter().all(|c| c.is_finite() && *c >= 0.0));
        assert!(tier.base_bytes >= 0 && tier.overhead_bytes >= 0);
        for skip in 0..terms.len() {
            let values: Vec<u64> = terms.iter().cycle().skip(skip).take(count).copied().collect();
            match tier.predict(&values) {
                Ok(_) | Err(FitError::Constants { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(tier.predict(&vec![1; count + 1]).is_err());
    }
    // TOML has no larger integers than those that were read from it.
    let written = calibration.to_toml().unwrap();
    assert_eq!(Calibration::from_toml(&written).as_ref(), Ok(calibration), "{written}");
}
