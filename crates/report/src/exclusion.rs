//! Which runs are not fitted, and why.

use std::fmt;

use vram_artifacts::metrics::RecordedReason;
use vram_artifacts::run_record::RunRecord;
use vram_metrics::verdict::FailReason;

/// A run whose longest step exceeds this many medians is not steady enough to be fitted.
const STEADY_RATIO: f64 = 2.5;

/// The one failure that says nothing against a run's peaks: they were measured, and are high.
const HARMLESS: RecordedReason = RecordedReason::Known(FailReason::VramGuard);

/// Why a run stays out of a fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Exclusion {
    /// Its card was a stand-in that computes nothing.
    VirtualCard,
    /// It failed, for these reasons; none where it gives none.
    Failed(Vec<RecordedReason>),
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
            Self::VirtualCard => f.write_str(
                "not measured: it ran on a virtual card, which counts memory and computes nothing; \
                 measure it on a real one",
            ),
            Self::Failed(reasons) if reasons.is_empty() => f.write_str("failed: no reason given"),
            Self::Failed(reasons) => {
                let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                write!(f, "failed: {}", reasons.join(", "))
            }
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

/// Whether a run may be fitted.
///
/// # Errors
///
/// The reason why not.
pub(crate) fn admit(run: &RunRecord) -> Result<(), Exclusion> {
    if run.env.virtual_card {
        return Err(Exclusion::VirtualCard);
    }
    let m = &run.metrics;
    is_steady(m.stability_pass, &m.fail_reasons, m.median_step_time_s, m.max_step_time_s)?;
    if run.env.driver_model.as_deref() == Some("WDDM") {
        return Err(Exclusion::Paging("under the WDDM driver model the system pages video memory"));
    }
    let total = m.total_vram_bytes.or(run.env.total_vram_bytes);
    if m.peak_vram_reserved_bytes.zip(total).is_some_and(|(reserved, total)| reserved > total) {
        return Err(Exclusion::Paging("it reserved more than the device has"));
    }
    if let Some(moved) = m.disturbance() {
        return Err(Exclusion::Disturbed(moved));
    }
    match (m.peak_vram_allocated_bytes, m.peak_vram_reserved_bytes) {
        (None, _) | (_, None) => return Err(Exclusion::NoPeak),
        (_, Some(0)) => return Err(Exclusion::Unsound("nothing is reserved")),
        (Some(a), Some(r)) if r < a => {
            return Err(Exclusion::Unsound("reserves less than it allocates"));
        }
        _ => {}
    }
    match m.out_dim {
        1 => Ok(()),
        other => Err(Exclusion::SpotCheck(format!("out_dim {other}"))),
    }
}

/// Whether a run with this verdict and these step times, in seconds, may be fitted. A row that
/// fails only the memory guard may: its peaks are sound.
fn is_steady(
    stability_pass: bool,
    fail_reasons: &[RecordedReason],
    median_step_s: Option<f64>,
    max_step_s: Option<f64>,
) -> Result<(), Exclusion> {
    if fail_reasons.iter().any(|reason| *reason != HARMLESS) {
        return Err(Exclusion::Failed(fail_reasons.to_vec()));
    }
    if !stability_pass && fail_reasons.is_empty() {
        return Err(Exclusion::Failed(Vec::new()));
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

    use FailReason::{HeartbeatStall, VramGuard};

    fn reasons<const N: usize>(reasons: [FailReason; N]) -> Vec<RecordedReason> {
        reasons.map(RecordedReason::Known).to_vec()
    }

    #[test]
    fn only_the_guard_is_harmless() {
        assert_eq!(is_steady(true, &[], Some(1.0), Some(2.5)), Ok(()));
        assert_eq!(is_steady(false, &reasons([VramGuard]), None, None), Ok(()));
        let both = reasons([VramGuard, HeartbeatStall]);
        assert_eq!(is_steady(false, &both, None, None), Err(Exclusion::Failed(both.clone())));
    }

    #[test]
    fn a_failure_without_a_reason_is_still_one() {
        let refused = is_steady(false, &[], Some(1.0), Some(1.0)).unwrap_err();
        assert_eq!(refused.to_string(), "failed: no reason given");
        let unknown = [RecordedReason::Other("vram_guard_v2".to_owned())];
        let refused = is_steady(false, &unknown, Some(1.0), Some(1.0)).unwrap_err();
        assert_eq!(refused.to_string(), "failed: vram_guard_v2");
    }

    #[test]
    fn an_unsteady_run_is_left_out_although_it_passed() {
        let refused = is_steady(true, &[], Some(1.0), Some(2.6)).unwrap_err();
        assert_eq!(refused.to_string(), "longest step took 2.6 x the median step");
    }
}
