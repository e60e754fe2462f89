//! A step that never returns: noticed from beside it, written down, and ended with its process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vram_artifacts::run_dir::RunDir;
use vram_console::terminal;
use vram_metrics::{
    Heartbeat, Measurement, MeterError, Progress, Stage, StepTimes, Watchdog, Window,
};

use super::Probe;
use super::device::ProbeDevice;
use super::measure::{Failure, Told};

/// What is known of a run while it runs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    dog: Watchdog,
    seen: Mutex<Seen>,
}

/// A run that did not come to its end, as far as it was heard of.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    warmup: Vec<f64>,
    steps: Vec<f64>,
    peaks: (Option<u64>, Option<u64>),
    threshold: Duration,
}

impl Watch {
    /// A step is over; the last of the warm-up arms the watchdog.
    pub(super) fn step(&self, window: &Window, progress: &Progress) {
        self.dog.beat();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.peaks = (progress.peak_allocated_bytes, progress.peak_reserved_bytes);
        match progress.stage {
            Stage::Warmup => seen.warmup.push(progress.seconds),
            Stage::Measure => seen.steps.push(progress.seconds),
        }
        if progress.stage == Stage::Warmup && progress.step == window.warmup_steps {
            self.arm(window, &mut seen);
        }
    }

    /// Without a warm-up the first step is watched at once.
    pub(super) fn begin(&self, window: &Window) {
        if window.warmup_steps == 0 {
            self.arm(window, &mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn arm(&self, window: &Window, seen: &mut Seen) {
        seen.threshold = window.stall_threshold(&StepTimes::new(seen.warmup.clone()));
        self.dog.arm(seen.threshold);
    }

    /// What was heard of until now.
    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the watch when it is dropped, whatever ended the window.
    pub(super) fn until_dropped(&self) -> Ending<'_> {
        Ending(&self.dog)
    }
}

pub(super) struct Ending<'a>(&'a Watchdog);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Seen {
    /// What is left of a run that this silence, or this failure, ended.
    pub(super) fn measurement(
        self,
        silence: Option<Duration>,
        failure: Option<Failure>,
    ) -> Measurement<Failure> {
        let peak = |bytes: Option<u64>| {
            bytes.ok_or(MeterError::Nvml("no step was measured before the end".to_owned()))
        };
        Measurement {
            warmup: StepTimes::new(self.warmup),
            steps: StepTimes::new(self.steps),
            wall_time_s: None,
            peak_allocated_bytes: peak(self.peaks.0),
            peak_reserved_bytes: peak(self.peaks.1),
            nan: false,
            inf: false,
            skipped_steps: 0,
            disturbance_bytes: None,
            heartbeat: Heartbeat {
                stalled: silence.is_some(),
                threshold_s: self.threshold.as_secs_f64(),
                last_progress_age_s: silence.unwrap_or_default().as_secs_f64(),
            },
            failure,
        }
    }
}

impl<D: ProbeDevice> Probe<'_, D> {
    /// Waits for a stall; writes what was measured until then, and ends the process, which the step
    /// would keep for ever.
    pub(super) fn guard(&self, watch: &Watch, dir: &RunDir) {
        let Some(silence) = watch.dog.wait() else { return };
        let measured = watch.seen().measurement(Some(silence), None);
        let reply = self.conclude(dir, &self.metrics(measured, Vec::new(), Told::default()));
        let exit = terminal::print(&reply);
        std::process::exit(i32::from(exit.code()));
    }
}
