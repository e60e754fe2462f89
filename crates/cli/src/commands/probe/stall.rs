//! What was heard of a run while it runs: all that is left of one that does not come to its end.

use std::sync::{Mutex, PoisonError};

use vram_metrics::clock::StepTimes;
use vram_metrics::meter::MeterError;
use vram_metrics::watchdog::{Heartbeat, Watchdog};
use vram_metrics::window::{Measurement, Progress, Stage};

/// What is known of a run while it runs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) watchdog: Watchdog,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    warmup: Vec<f64>,
    steps: Vec<f64>,
    peaks: (Option<u64>, Option<u64>),
}

impl Watch {
    /// A step is over.
    pub(super) fn step(&self, progress: &Progress) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.peaks = (progress.peak_allocated_bytes, progress.peak_reserved_bytes);
        match progress.stage {
            Stage::Warmup => seen.warmup.push(progress.seconds),
            Stage::Measure => seen.steps.push(progress.seconds),
        }
    }

    /// What is left of a run that a silence, or this failure, ended.
    pub(super) fn measurement<E>(
        &self,
        heartbeat: Heartbeat,
        failure: Option<E>,
    ) -> Measurement<E> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let peak = |bytes: Option<u64>| bytes.ok_or(MeterError::NothingMeasured);
        Measurement {
            warmup: StepTimes::new(seen.warmup),
            steps: StepTimes::new(seen.steps),
            wall_time_s: None,
            peak_allocated_bytes: peak(seen.peaks.0),
            peak_reserved_bytes: peak(seen.peaks.1),
            nan: false,
            inf: false,
            skipped_steps: 0,
            disturbance_bytes: None,
            heartbeat,
            failure,
        }
    }
}
