//! A step that never returns: noticed from beside it, written down, and ended with its process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vram_metrics::{
    Heartbeat, Measurement, MeterError, Progress, Stage, StepTimes, Watchdog, Window,
};

use super::Probe;
use super::measure::Failure;
use super::target::Target;
use crate::artifacts::RunDir;
use crate::terminal;

/// Causes a stall on purpose, as the original harness does.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "To cause a stall on purpose")]
pub(super) struct Debug {
    /// Sleep after this step, counted from 1 through both stages
    #[arg(long, value_name = "N", requires = "debug_stall_s")]
    debug_stall_after_step: Option<u64>,
    /// Sleep this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    debug_stall_s: Option<Duration>,
    /// A silence this long is a stall, in place of max(60 s, 10 x the warm-up's median)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    debug_stall_threshold_s: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    seconds.filter(|s| !s.is_zero()).ok_or("expected a number of seconds above 0")
}

impl Debug {
    /// Sleeps if this is the step to sleep after.
    pub(super) fn after_step(&self, step: u64) {
        if self.debug_stall_after_step == Some(step) {
            std::thread::sleep(self.debug_stall_s.unwrap_or_default());
        }
    }

    pub(super) fn threshold(&self) -> Option<Duration> {
        self.debug_stall_threshold_s
    }
}

/// What is known of a run while it runs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    dog: Watchdog,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
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

impl<T: Target> Probe<'_, T> {
    /// Waits for a stall; writes what was measured until then, and ends the process, which the step
    /// would keep for ever.
    pub(super) fn guard(&self, watch: &Watch, dir: &RunDir) {
        let Some(silence) = watch.dog.wait() else { return };
        let seen = watch.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let peak = |bytes: Option<u64>| {
            bytes.ok_or(MeterError::Nvml("no step was measured before the stall".to_owned()))
        };
        let measured = Measurement::<Failure> {
            warmup: StepTimes::new(seen.warmup),
            steps: StepTimes::new(seen.steps),
            wall_time_s: None,
            peak_allocated_bytes: peak(seen.peaks.0),
            peak_reserved_bytes: peak(seen.peaks.1),
            nan: false,
            inf: false,
            skipped_steps: 0,
            heartbeat: Heartbeat {
                stalled: true,
                threshold_s: seen.threshold.as_secs_f64(),
                last_progress_age_s: silence.as_secs_f64(),
            },
            failure: None,
        };
        let reply = self.conclude(dir, &self.metrics(measured, Vec::new(), None));
        let exit = terminal::print(&reply);
        std::process::exit(i32::from(exit.code()));
    }
}
