//! Which runs stay out of a fit, and why.

use std::fmt;

/// A run whose longest step exceeds this many medians is not steady enough to be fitted.
const STEADY_RATIO: f64 = 2.5;

/// The one failure that says nothing against a run's peaks: they were measured, and are high.
const HARMLESS: &str = "vram_guard";

/// Why a run stays out of a fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Exclusion {
    /// It failed, for these reasons.
    Failed(Vec<String>),
    /// Its longest step took this many median steps.
    Unsteady(f64),
    /// It differs from the fitted runs on purpose.
    SpotCheck(String),
    /// It has no peak to fit.
    NoPeak,
    /// It reports peaks that no allocator can.
    Unsound(&'static str),
    /// Memory was paged while it ran, or may have been: its peaks are another regime's.
    Paging(&'static str),
    /// It was not alone on its device: what others held there moved by this many bytes.
    Disturbed(u64),
    /// It could not be read.
    Unreadable(String),
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reasons) => write!(f, "failed: {}", reasons.join(", ")),
            Self::Unsteady(ratio) => write!(f, "longest step took {ratio:.1} x the median step"),
            Self::SpotCheck(what) => write!(f, "spot check ({what}): reported, never fitted"),
            Self::NoPeak => f.write_str("no peak was measured"),
            Self::Unsound(why) => write!(f, "unsound peaks: {why}"),
            Self::Paging(why) => write!(f, "paging regime: {why}"),
            Self::Disturbed(bytes) => {
                write!(f, "disturbed: what others hold on the device moved by {bytes} bytes")
            }
            Self::Unreadable(why) => write!(f, "unreadable: {why}"),
        }
    }
}

/// Whether a run with this verdict and these step times, in seconds, may be fitted. A row that
/// fails only the memory guard may: its peaks are sound.
///
/// # Errors
///
/// The reason why not.
pub fn admit(
    stability_pass: bool,
    fail_reasons: &[String],
    median_step_s: Option<f64>,
    max_step_s: Option<f64>,
) -> Result<(), Exclusion> {
    if fail_reasons.iter().any(|r| r != HARMLESS) {
        return Err(Exclusion::Failed(fail_reasons.to_vec()));
    }
    if !stability_pass && fail_reasons.is_empty() {
        return Err(Exclusion::Failed(vec!["no reason given".to_owned()]));
    }
    match (median_step_s, max_step_s) {
        (Some(median), Some(max)) if max > STEADY_RATIO * median => {
            Err(Exclusion::Unsteady(max / median))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(names: &[&str]) -> Vec<String> {
        names.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn only_the_guard_is_harmless() {
        assert_eq!(admit(true, &[], Some(1.0), Some(2.5)), Ok(()));
        assert_eq!(admit(false, &reasons(&["vram_guard"]), None, None), Ok(()));
        let both = reasons(&["vram_guard", "heartbeat_stall"]);
        assert_eq!(admit(false, &both, None, None), Err(Exclusion::Failed(both.clone())));
    }

    #[test]
    fn a_failure_without_a_reason_is_still_one() {
        assert!(matches!(admit(false, &[], Some(1.0), Some(1.0)), Err(Exclusion::Failed(_))));
    }

    #[test]
    fn an_unsteady_run_is_left_out_although_it_passed() {
        let refused = admit(true, &[], Some(1.0), Some(2.6)).unwrap_err();
        assert_eq!(refused.to_string(), "longest step took 2.6 x the median step");
    }
}
