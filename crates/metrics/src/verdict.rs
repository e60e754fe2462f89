//! Whether a run is stable, and every reason why it is not.

use serde::{Deserialize, Serialize};

use crate::clock::StepTimes;

/// Peak reserved above this part of the total fails a run (VRA-30).
pub const VRAM_GUARD_RATIO: f64 = 0.92;

/// Step times that spread wider than this, against the median, are an explosion (VRA-30).
pub const EXPLOSION_RATIO: f64 = 2.5;

/// Why a run is not stable, as the objective contract (VRA-30) names the reasons.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FailReason {
    /// A step failed.
    RuntimeException,
    /// It failed because memory ran out.
    Oom,
    /// A loss or gradient was not finite.
    NanOrInf,
    /// Measured step times are missing or not finite.
    TimingMissing,
    /// `p95 > 2.5 * median`.
    StepTimeExplosion,
    /// No step finished for too long.
    HeartbeatStall,
    /// Peak reserved exceeds the guard.
    VramGuard,
    /// Peaks or the total could not be read.
    VramStatsFailed,
}

impl FailReason {
    /// Name in artifacts.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a verdict is taken on.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// A step failed.
    pub failed: bool,
    /// It failed because memory ran out.
    pub oom: bool,
    /// A loss or gradient was NaN or infinite.
    pub non_finite: bool,
    /// Times of the measured steps.
    pub steps: StepTimes,
    /// Steps that were to be measured.
    pub measure_steps: u64,
    /// No step has a time, and none is missing: the card computes nothing.
    pub untimed: bool,
    /// The heartbeat stalled.
    pub stalled: bool,
    /// Peak allocated, in bytes.
    pub peak_allocated_bytes: Option<u64>,
    /// Peak reserved, in bytes.
    pub peak_reserved_bytes: Option<u64>,
    /// The device's memory, in bytes.
    pub total_bytes: Option<u64>,
}

/// Whether a run is stable, and every reason why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// No reason was found.
    pub stability_pass: bool,
    /// The reasons, in the contract's order.
    pub fail_reasons: Vec<FailReason>,
}

impl Evidence {
    /// Takes the verdict.
    pub fn verdict(&self) -> Verdict {
        use FailReason as F;
        let stats_missing = self.peak_reserved_bytes.is_none()
            || self.peak_allocated_bytes.is_none()
            || self.total_bytes.is_none();
        let findings = [
            (F::RuntimeException, self.failed),
            (F::Oom, self.oom),
            (F::NanOrInf, self.non_finite),
            // A failed run has no complete times; that is not a finding of its own.
            (F::TimingMissing, !self.failed && !self.untimed && self.timing_missing()),
            (F::StepTimeExplosion, self.exploded()),
            (F::HeartbeatStall, self.stalled),
            (F::VramGuard, self.guard_broken()),
            (F::VramStatsFailed, stats_missing),
        ];
        let fail_reasons: Vec<F> =
            findings.into_iter().filter_map(|(reason, found)| found.then_some(reason)).collect();
        Verdict { stability_pass: fail_reasons.is_empty(), fail_reasons }
    }

    fn timing_missing(&self) -> bool {
        let times = self.steps.as_slice();
        times.len() as u64 != self.measure_steps || times.iter().any(|s| !s.is_finite())
    }

    fn exploded(&self) -> bool {
        match (self.steps.p95(), self.steps.median()) {
            (Some(p95), Some(median)) => p95 > EXPLOSION_RATIO * median,
            _ => false,
        }
    }

    fn guard_broken(&self) -> bool {
        match (self.peak_reserved_bytes, self.total_bytes) {
            (Some(peak), Some(total)) => peak as f64 > VRAM_GUARD_RATIO * total as f64,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Evidence {
        Evidence {
            steps: StepTimes::new(vec![1.0, 1.1, 0.9]),
            measure_steps: 3,
            peak_allocated_bytes: Some(90),
            peak_reserved_bytes: Some(92),
            total_bytes: Some(100),
            ..Evidence::default()
        }
    }

    fn reasons(change: impl FnOnce(&mut Evidence)) -> Vec<FailReason> {
        let mut evidence = healthy();
        change(&mut evidence);
        let verdict = evidence.verdict();
        assert_eq!(verdict.stability_pass, verdict.fail_reasons.is_empty());
        verdict.fail_reasons
    }

    #[test]
    fn exactly_the_guard_passes() {
        assert_eq!(reasons(|_| ()), []);
    }

    #[test]
    fn each_reason_by_itself() {
        use FailReason as F;
        assert_eq!(reasons(|e| e.failed = true), [F::RuntimeException]);
        assert_eq!(reasons(|e| (e.failed, e.oom) = (true, true)), [F::RuntimeException, F::Oom]);
        assert_eq!(reasons(|e| e.non_finite = true), [F::NanOrInf]);
        assert_eq!(reasons(|e| e.measure_steps = 4), [F::TimingMissing]);
        let hole = StepTimes::new(vec![1.0, f64::NAN, 1.0]);
        assert_eq!(reasons(|e| e.steps = hole), [F::TimingMissing]);
        assert_eq!(reasons(|e| e.stalled = true), [F::HeartbeatStall]);
        let timeless = |e: &mut Evidence| e.steps = StepTimes::default();
        assert_eq!(reasons(timeless), [F::TimingMissing]);
        assert_eq!(reasons(|e| (timeless(e), e.untimed = true).1), []);
        assert_eq!(reasons(|e| e.peak_reserved_bytes = Some(93)), [F::VramGuard]);
        assert_eq!(reasons(|e| e.peak_reserved_bytes = None), [F::VramStatsFailed]);
        assert_eq!(reasons(|e| e.peak_allocated_bytes = None), [F::VramStatsFailed]);
        assert_eq!(reasons(|e| e.total_bytes = None), [F::VramStatsFailed]);
    }

    /// Forty steps of which three take long: floor(0.95 * 39) = 37 is the first of the long ones,
    /// and 2.6 > 2.5 * 1.0. Two long ones hide above the percentile, and three steps can never
    /// explode: their p95 is their median.
    #[test]
    fn the_explosion_gate_sees_the_95th_percentile() {
        let steps = |long: usize, of: usize| {
            let times = (0..of).map(|i| if i < long { 2.6 } else { 1.0 }).collect();
            move |e: &mut Evidence| (e.steps, e.measure_steps) = (StepTimes::new(times), of as u64)
        };
        assert_eq!(reasons(steps(3, 40)), [FailReason::StepTimeExplosion]);
        assert_eq!(reasons(steps(2, 40)), []);
        assert_eq!(reasons(steps(1, 3)), []);
    }

    #[test]
    fn names_are_the_contracts() {
        let json = serde_json::to_string(&FailReason::StepTimeExplosion).unwrap();
        assert_eq!(json, "\"step_time_explosion\"");
        assert_eq!(FailReason::StepTimeExplosion.to_string(), "step_time_explosion");
    }
}
