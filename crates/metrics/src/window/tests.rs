use std::cell::Cell;

use super::*;
use crate::clock::WallClock;
use crate::meter::Reading;
use crate::other_processes::LOOK_EVERY;

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
        &Watchdog::default(),
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
fn another_process_that_moves_in_the_window_is_seen() {
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
fn looking_for_other_processes_costs_short_steps_nothing() {
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
        &Watchdog::default(),
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
    let (mut measured, _) = run(window(0, 3), &Fake::default(), &mut |_| Ok(StepReport::default()));
    measured.wall_time_s = Some(6.0);
    // 3 steps * 16 samples / 6 s.
    assert_eq!(measured.samples_per_s(16), Some(8.0));
}

/// Who waits beside the window hears of a silence of its steps while it lasts, and of nothing
/// before the warm-up is over.
#[test]
fn a_silence_is_heard_of_from_beside_the_window() {
    let waited = |pause_at: u64| {
        let meter = Fake::default();
        let given = Window { stall_after: Some(Duration::from_millis(50)), ..window(1, 2) };
        let watchdog = Watchdog::default();
        let mut count = 0;
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| watchdog.wait());
            given.run(
                &meter,
                &mut WallClock::default(),
                &mut Marks::new(&meter),
                &watchdog,
                &mut |_: &mut dyn FnMut(Phase)| {
                    count += 1;
                    if count == pause_at {
                        std::thread::sleep(Duration::from_millis(500));
                    }
                    Ok::<_, ()>(StepReport::default())
                },
                &mut |_| (),
            );
            waiting.join().unwrap()
        })
    };
    let stalled = waited(2).unwrap();
    assert!(stalled.stalled && stalled.threshold_s == 0.05, "{stalled:?}");
    assert!((0.05..0.5).contains(&stalled.last_progress_age_s), "{stalled:?}");
    assert_eq!(waited(1), None);
}

#[test]
fn a_stage_is_written_as_events_have_it() {
    assert_eq!(serde_json::to_value(Stage::Warmup).unwrap(), "warmup");
    assert_eq!(serde_json::from_str::<Stage>("\"measure\"").unwrap(), Stage::Measure);
}
