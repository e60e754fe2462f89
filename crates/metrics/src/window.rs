use std::time::{Duration, Instant};

use crate::neighbours::Neighbours;
use crate::{Marks, Meter, MeterError, Phase, StepClock, StepTimes};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Heartbeat of the window: progress is the end of warm-up, and every step finished after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heartbeat {
    /// A silence after warm-up, the last one included, outlasted the threshold.
    pub stalled: bool,
    /// `stall_after`, or else `max(stall_floor, 10 * median warm-up step)`, in seconds.
    pub threshold_s: f64,
    /// Seconds between the last progress and the end of the window.
    pub last_progress_age_s: f64,
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
    /// [`DISTURBANCE_BYTES`](crate::DISTURBANCE_BYTES).
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
    pub fn stall_threshold(&self, warmup: &StepTimes) -> Duration {
        let steps = STALL_STEPS * warmup.median().unwrap_or(0.0);
        let steps = Duration::try_from_secs_f64(steps).unwrap_or(Duration::ZERO);
        self.stall_after.unwrap_or(steps.max(self.stall_floor))
    }

    /// Runs `step` until the window is over or a step fails, resetting the meter's peaks after
    /// warm-up, and tells `observe` of every finished step. What was measured before a failure is
    /// kept beside it.
    pub fn run<S: TrainingStep>(
        &self,
        meter: &dyn Meter,
        clock: &mut dyn StepClock,
        marks: &mut Marks<'_>,
        step: &mut S,
        observe: &mut dyn FnMut(&Progress),
    ) -> Measurement<S::Error> {
        let mut run = Run {
            window: self,
            meter,
            marks,
            step,
            observe,
            total: StepReport::default(),
            skipped_steps: 0,
            silence: Silence::start(),
            neighbours: Neighbours::ignored(),
            done: 0,
        };
        let warm_up = run.stage(Stage::Warmup, self.warmup_steps, clock);
        let warmup = StepTimes::of(clock.finish());
        let threshold_s = self.stall_threshold(&warmup).as_secs_f64();

        // Where memory ran out in warm-up, its peaks are what there is to learn from.
        let reset = if warm_up.is_ok() { meter.reset_peaks() } else { Ok(()) };
        run.neighbours = Neighbours::seen_by(meter);
        run.silence = Silence::start();
        let began = Instant::now();
        let failure =
            warm_up.and_then(|()| run.stage(Stage::Measure, self.measure_steps, clock)).err();
        let last_silence = run.silence.since.elapsed();
        // Before the wall clock is read: a clock of asynchronous work waits for its end.
        let steps = StepTimes::of(clock.finish());
        let wall_time_s = failure.is_none().then(|| began.elapsed().as_secs_f64());
        run.neighbours.look(meter);
        Measurement {
            warmup,
            steps,
            wall_time_s,
            peak_allocated_bytes: reset.clone().and_then(|()| Ok(meter.allocated()?.peak)),
            peak_reserved_bytes: reset.and_then(|()| Ok(meter.reserved()?.peak)),
            nan: run.total.nan,
            inf: run.total.inf,
            skipped_steps: run.skipped_steps,
            disturbance_bytes: run.neighbours.moved,
            heartbeat: Heartbeat {
                stalled: run.silence.longest.max(last_silence).as_secs_f64() > threshold_s,
                threshold_s,
                last_progress_age_s: last_silence.as_secs_f64(),
            },
            failure,
        }
    }
}

/// How long no step has finished.
struct Silence {
    since: Instant,
    longest: Duration,
}

impl Silence {
    fn start() -> Self {
        Self { since: Instant::now(), longest: Duration::ZERO }
    }

    fn break_off(&mut self) {
        self.longest = self.longest.max(self.since.elapsed());
        self.since = Instant::now();
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
    silence: Silence,
    neighbours: Neighbours,
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
            self.silence.break_off();
            self.done += 1;
            self.total.nan |= report.nan;
            self.total.inf |= report.inf;
            self.skipped_steps += u64::from(report.skipped);
            self.neighbours.glance(self.meter);
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
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::neighbours::LOOK_EVERY;
    use crate::{Reading, WallClock};

    /// A meter whose program holds what the test says.
    #[derive(Default)]
    struct Fake {
        current: Cell<u64>,
        peak: Cell<u64>,
        outside: Cell<Option<u64>>,
        asked: Cell<u32>,
    }

    impl Fake {
        fn hold(&self, bytes: u64) {
            self.current.set(bytes);
            self.peak.set(self.peak.get().max(bytes));
        }
    }

    impl Meter for Fake {
        fn allocated(&self) -> Result<Reading, MeterError> {
            let (current, peak) = (self.current.get(), self.peak.get());
            Ok(Reading { current, peak })
        }
        fn reserved(&self) -> Result<Reading, MeterError> {
            Err(MeterError::NotInstalled)
        }
        fn reset_peaks(&self) -> Result<(), MeterError> {
            self.peak.set(self.current.get());
            Ok(())
        }
        fn outside_bytes(&self) -> Option<Result<u64, MeterError>> {
            self.asked.set(self.asked.get() + 1);
            self.outside.get().map(Ok)
        }
    }

    fn window(warmup_steps: u64, measure_steps: u64) -> Window {
        let stall_floor = Duration::from_secs(60);
        Window { warmup_steps, measure_steps, stall_floor, stall_after: None }
    }

    fn run(
        window: Window,
        meter: &Fake,
        step: &mut dyn FnMut(u64) -> Result<StepReport, &'static str>,
    ) -> (Measurement<&'static str>, Vec<Progress>) {
        let mut marks = Marks::new(meter);
        let mut seen = Vec::new();
        let mut count = 0;
        let measured = window.run(
            meter,
            &mut WallClock::default(),
            &mut marks,
            &mut |mark: &mut dyn FnMut(Phase)| {
                mark(Phase::StepEnd);
                count += 1;
                step(count)
            },
            &mut |p| seen.push(*p),
        );
        (measured, seen)
    }

    #[test]
    fn peaks_belong_to_the_measured_steps() {
        let meter = Fake::default();
        let (measured, seen) = run(window(2, 3), &meter, &mut |step| {
            // The warm-up peaks at 900, the measured steps at 70.
            meter.hold(if step <= 2 { 900 } else { 70 });
            meter.hold(10);
            Ok(StepReport::default())
        });
        assert_eq!(measured.peak_allocated_bytes, Ok(70));
        assert_eq!(measured.peak_reserved_bytes, Err(MeterError::NotInstalled));
        assert_eq!(measured.warmup.as_slice().len(), 2);
        assert_eq!(measured.steps.as_slice().len(), 3);
        assert!(!measured.heartbeat.stalled);
        let steps: Vec<_> = seen.iter().map(|p| (p.stage, p.step, p.steps)).collect();
        let (w, m) = (Stage::Warmup, Stage::Measure);
        assert_eq!(steps, [(w, 1, 5), (w, 2, 5), (m, 3, 5), (m, 4, 5), (m, 5, 5)]);
    }

    /// What came and went in the warm-up is not seen; what moved afterwards is, whichever way, if it
    /// lasted.
    #[test]
    fn a_neighbour_that_moves_in_the_window_is_seen() {
        let disturbance = |outside: [u64; 4]| {
            let meter = Fake::default();
            meter.outside.set(Some(500));
            let (measured, _) = run(window(1, 3), &meter, &mut |step| {
                std::thread::sleep(LOOK_EVERY);
                meter.outside.set(Some(outside[step as usize - 1]));
                Ok(StepReport::default())
            });
            measured.disturbance_bytes
        };
        assert_eq!(disturbance([700, 700, 700, 700]), Some(Ok(0)));
        assert_eq!(disturbance([700, 700, 930, 700]), Some(Ok(230)));
        assert_eq!(disturbance([700, 700, 700, 100]), Some(Ok(600)));
        let (alone, _) = run(window(0, 1), &Fake::default(), &mut |_| Ok(StepReport::default()));
        assert_eq!(alone.disturbance_bytes, None);
    }

    /// Steps that are over at once ask twice in all.
    #[test]
    fn looking_for_neighbours_costs_short_steps_nothing() {
        let meter = Fake::default();
        meter.outside.set(Some(500));
        run(window(1, 50), &meter, &mut |_| Ok(StepReport::default()));
        assert_eq!(meter.asked.get(), 2);
    }

    #[test]
    fn a_failing_step_keeps_what_was_measured_before_it() {
        let meter = Fake::default();
        let (measured, _) = run(window(1, 3), &meter, &mut |step| {
            meter.hold(step);
            if step == 3 { Err("broken") } else { Ok(StepReport::default()) }
        });
        assert_eq!(measured.failure, Some("broken"));
        assert_eq!(measured.steps.as_slice().len(), 1);
        assert_eq!(measured.wall_time_s, None);
        assert_eq!(measured.peak_allocated_bytes, Ok(3));
    }

    #[test]
    fn a_failure_in_warm_up_ends_the_window_and_keeps_its_peaks() {
        let meter = Fake::default();
        let (measured, seen) = run(window(2, 3), &meter, &mut |_| {
            meter.hold(900);
            meter.hold(10);
            Err("at once")
        });
        assert_eq!(measured.failure, Some("at once"));
        assert!(seen.is_empty() && measured.steps.as_slice().is_empty());
        assert_eq!(measured.peak_allocated_bytes, Ok(900));
        assert!(!measured.heartbeat.stalled);
    }

    #[test]
    fn bad_numbers_and_skipped_steps_are_remembered() {
        let (measured, _) = run(window(0, 3), &Fake::default(), &mut |step| {
            Ok(StepReport { nan: step == 1, inf: step == 2, skipped: step > 1 })
        });
        assert!(measured.nan && measured.inf);
        assert_eq!(measured.skipped_steps, 2);
    }

    #[test]
    fn a_silence_longer_than_the_threshold_is_a_stall() {
        let short = Window { stall_floor: Duration::from_millis(20), ..window(0, 2) };
        let pause = |at: u64| {
            move |step: u64| {
                if step == at {
                    std::thread::sleep(Duration::from_millis(60));
                }
                Ok(StepReport::default())
            }
        };
        let (measured, _) = run(short, &Fake::default(), &mut pause(2));
        assert!(measured.heartbeat.stalled);
        // A step that fails after such a silence has stalled too.
        let (measured, _) = run(short, &Fake::default(), &mut |step| {
            pause(2)(step)?;
            if step == 2 { Err("broken") } else { Ok(StepReport::default()) }
        });
        assert!(measured.heartbeat.stalled);
        assert!(measured.heartbeat.last_progress_age_s >= 0.06);
        // The same silence in warm-up is no stall, and raises the threshold to ten times itself.
        let slow_start = Window { warmup_steps: 1, ..short };
        let (measured, _) = run(slow_start, &Fake::default(), &mut pause(1));
        assert!(!measured.heartbeat.stalled);
        assert!(measured.heartbeat.threshold_s >= 0.6);
        // A threshold that is given does not go by the warm-up.
        let given = Window { stall_after: Some(Duration::from_millis(20)), ..slow_start };
        let (measured, _) = run(given, &Fake::default(), &mut |step| {
            pause(1)(step)?;
            pause(3)(step)
        });
        assert!(measured.heartbeat.stalled);
        assert_eq!(measured.heartbeat.threshold_s, 0.02);
    }

    /// Whoever is told of the last step may take too long as well: no step is over meanwhile.
    #[test]
    fn a_silence_after_the_last_step_is_a_stall() {
        let meter = Fake::default();
        let given = Window { stall_after: Some(Duration::from_millis(20)), ..window(0, 2) };
        let mut step = |_: &mut dyn FnMut(Phase)| Ok::<_, ()>(StepReport::default());
        let measured = given.run(
            &meter,
            &mut WallClock::default(),
            &mut Marks::new(&meter),
            &mut step,
            &mut |progress| {
                if progress.step == 2 {
                    std::thread::sleep(Duration::from_millis(60));
                }
            },
        );
        assert!(measured.heartbeat.stalled && measured.heartbeat.last_progress_age_s >= 0.06);
    }

    #[test]
    fn throughput_is_steps_times_batch_over_wall_time() {
        let (mut measured, _) =
            run(window(0, 3), &Fake::default(), &mut |_| Ok(StepReport::default()));
        measured.wall_time_s = Some(6.0);
        // 3 steps * 16 samples / 6 s.
        assert_eq!(measured.samples_per_s(16), Some(8.0));
    }
}
