//! How many steps a run may have.

use crate::error::ArtifactError;

/// The most steps of a run: `metrics.json` holds the time of each, and what is larger than
/// [`vram_source::file::LIMIT_BYTES`] is not read again.
pub const MOST_STEPS: u64 = 250_000;

/// Steps of a run, the warm-up's and the measured ones.
///
/// # Errors
///
/// [`ArtifactError::TooManySteps`]: more than [`MOST_STEPS`].
pub fn steps_total(warmup_steps: u64, measure_steps: u64) -> Result<u64, ArtifactError> {
    let total = warmup_steps.checked_add(measure_steps).filter(|&steps| steps <= MOST_STEPS);
    total.ok_or(ArtifactError::TooManySteps { warmup_steps, measure_steps, most: MOST_STEPS })
}
