//! The measurement window: warm-up steps, then steps with peaks of their own.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock::{StepClock, StepTimes};
use crate::meter::{Meter, MeterError};
use crate::other_processes::OtherProcesses;
use crate::phase::{Marks, Phase};
use crate::watchdog::{Heartbeat, Watchdog};

/// Warm-up steps, then measured steps with peaks of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Steps before the peaks are reset.
    pub warmup_steps: u64,
    /// Steps that are measured.
    pub measure_steps: u64,
    /// The shortest silence that counts as a stall.
    pub stall_floor: Duration,
    /// A silence longer than this counts as a stall, whatever the warm-up took; none for the rule
    /// that goes by it.
    pub stall_after: Option<Duration>,
}

/// A stall is a silence longer than this many median warm-up steps.
const STALL_STEPS: f64 = 10.0;

/// What a step tells the window about its numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepReport {
    /// A NaN that nothing explains.
    pub nan: bool,
    /// An infinity that nothing explains.
    pub inf: bool,
    /// The update was left out, as a loss scale does after an overflow.
    pub skipped: bool,
}

/// What a window runs.
///
/// Where work is asynchronous, `run` enqueues a step and `report` waits for it: the clock is read
/// in between, so that no synchronisation is part of a step's time. A closure that does its step
/// and reports on it at once is a training step too.
pub trait TrainingStep {
    /// What `run` leaves for `report`.
    type Running;
    /// Why a step fails.
    type Error;

    /// Does one step, or enqueues it, and tells `mark` of every phase it reaches.
    ///
    /// # Errors
    ///
    /// Whatever ends the window.
    fn run(&mut self, mark: &mut dyn FnMut(Phase)) -> Result<Self::Running, Self::Error>;

    /// How the step went.
    ///
    /// # Errors
    ///
    /// Whatever ends the window.
    fn report(&mut self, running: Self::Running) -> Result<StepReport, Self::Error>;
}

impl<F, E> TrainingStep for F
where
    F: FnMut(&mut dyn FnMut(Phase)) -> Result<StepReport, E>,
{
    type Running = StepReport;
    type Error = E;

    fn run(&mut self, mark: &mut dyn FnMut(Phase)) -> Result<StepReport, E> {
        self(mark)
    }

    fn report(&mut self, running: StepReport) -> Result<StepReport, E> {
        Ok(running)
    }
}

/// Part of the window that a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Before the peaks are reset.
    Warmup,
    /// Measured.
    Measure,
}

/// A finished step, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The step's part of the window.
    pub stage: Stage,
    /// Its number within the window, from 1 and through both stages.
    pub step: u64,
    /// Steps of both stages.
    pub steps: u64,
    /// Its duration on the host's clock.
    pub seconds: f64,
    /// Peak allocated so far, in bytes, where the meter answers.
    pub peak_allocated_bytes: Option<u64>,
    /// Peak reserved so far, in bytes, where the meter answers.
    pub peak_reserved_bytes: Option<u64>,
}

/// What a window measured, complete or not.
#[derive(Debug)]
pub struct Measurement<E> {
    /// Times of the warm-up steps.
    pub warmup: StepTimes,
    /// Times of the measured steps.
    pub steps: StepTimes,
    /// Seconds from the first measured step's start to the last one's end.
    pub wall_time_s: Option<f64>,
    /// Peak allocated of the measured steps, in bytes; of the warm-up if that failed.
    pub peak_allocated_bytes: Result<u64, MeterError>,
    /// Peak reserved of the measured steps, in bytes; of the warm-up if that failed.
    pub peak_reserved_bytes: Result<u64, MeterError>,
    /// Whether a step reported a NaN.
    pub nan: bool,
    /// Whether a step reported an infinity.
    pub inf: bool,
    /// Steps whose update was left out.
    pub skipped_steps: u64,
    /// How far what others hold on the device moved from what they held after warm-up, in bytes: the
    /// most that was seen. None where the meter's device is its process's own. See
    /// [`DISTURBANCE_BYTES`](crate::other_processes::DISTURBANCE_BYTES).
    pub disturbance_bytes: Option<Result<u64, MeterError>>,
    /// The window's heartbeat.
    pub heartbeat: Heartbeat,
    /// Why the window ended early.
    pub failure: Option<E>,
}

impl<E> Measurement<E> {
    /// `measured steps * batch / wall_time_s` (VRA-30).
    pub fn samples_per_s(&self, batch: u64) -> Option<f64> {
        let steps = self.steps.as_slice().len() as f64;
        let wall = self.wall_time_s.filter(|s| *s > 0.0)?;
        Some(steps * batch as f64 / wall)
    }
}

impl Window {
    /// How long a silence after this warm-up has to be to count as a stall.
    fn stall_threshold(&self, warmup: &StepTimes) -> Duration {
        let steps = STALL_STEPS * warmup.median().unwrap_or(0.0);
        let steps = Duration::try_from_secs_f64(steps).unwrap_or(Duration::ZERO);
        self.stall_after.unwrap_or(steps.max(self.stall_floor))
    }

    /// Runs `step` until the window is over or a step fails, resetting the meter's peaks after
    /// warm-up, and tells `observe` of every finished step. What was measured before a failure is
    /// kept beside it. `watchdog` is beaten by every step, armed when the warm-up is over, and
    /// stopped when the window is: who waits for it learns of a step that never returns.
    pub fn run<S: TrainingStep>(
        &self,
        meter: &dyn Meter,
        clock: &mut dyn StepClock,
        marks: &mut Marks<'_>,
        watchdog: &Watchdog,
        step: &mut S,
        observe: &mut dyn FnMut(&Progress),
    ) -> Measurement<S::Error> {
        let _watched = Watched(watchdog);
        let mut run = Run {
            window: self,
            meter,
            marks,
            step,
            observe,
            total: StepReport::default(),
            skipped_steps: 0,
            watchdog,
            others: OtherProcesses::ignored(),
            done: 0,
        };
        let warm_up = run.stage(Stage::Warmup, self.warmup_steps, clock);
        let warmup = StepTimes::of(clock.finish());
        let threshold = self.stall_threshold(&warmup);

        // Where memory ran out in warm-up, its peaks are what there is to learn from.
        let reset = if warm_up.is_ok() { meter.reset_peaks() } else { Ok(()) };
        run.others = OtherProcesses::seen_by(meter);
        watchdog.arm(threshold);
        let began = Instant::now();
        let failure =
            warm_up.and_then(|()| run.stage(Stage::Measure, self.measure_steps, clock)).err();
        let heartbeat = watchdog.heartbeat();
        // Before the wall clock is read: a clock of asynchronous work waits for its end.
        let steps = StepTimes::of(clock.finish());
        let wall_time_s = failure.is_none().then(|| began.elapsed().as_secs_f64());
        run.others.look(meter);
        Measurement {
            warmup,
            steps,
            wall_time_s,
            peak_allocated_bytes: reset.clone().and_then(|()| Ok(meter.allocated()?.peak)),
            peak_reserved_bytes: reset.and_then(|()| Ok(meter.reserved()?.peak)),
            nan: run.total.nan,
            inf: run.total.inf,
            skipped_steps: run.skipped_steps,
            disturbance_bytes: run.others.moved,
            heartbeat,
            failure,
        }
    }
}

/// Ends the watch with the window, whatever ends that.
struct Watched<'a>(&'a Watchdog);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A window that is running.
struct Run<'a, 'm, S> {
    window: &'a Window,
    meter: &'a dyn Meter,
    marks: &'a mut Marks<'m>,
    step: &'a mut S,
    observe: &'a mut dyn FnMut(&Progress),
    total: StepReport,
    skipped_steps: u64,
    watchdog: &'a Watchdog,
    others: OtherProcesses,
    done: u64,
}

impl<S: TrainingStep> Run<'_, '_, S> {
    fn stage(
        &mut self,
        stage: Stage,
        steps: u64,
        clock: &mut dyn StepClock,
    ) -> Result<(), S::Error> {
        for _ in 0..steps {
            let began = Instant::now();
            clock.begin();
            let running = self.step.run(&mut |phase| {
                self.marks.mark(phase);
                clock.lap(phase);
            })?;
            clock.end();
            let report = self.step.report(running)?;
            let seconds = began.elapsed().as_secs_f64();
            self.watchdog.beat();
            self.done += 1;
            self.total.nan |= report.nan;
            self.total.inf |= report.inf;
            self.skipped_steps += u64::from(report.skipped);
            self.others.glance(self.meter);
            (self.observe)(&Progress {
                stage,
                step: self.done,
                steps: self.window.warmup_steps.saturating_add(self.window.measure_steps),
                seconds,
                peak_allocated_bytes: self.meter.allocated().ok().map(|r| r.peak),
                peak_reserved_bytes: self.meter.reserved().ok().map(|r| r.peak),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
