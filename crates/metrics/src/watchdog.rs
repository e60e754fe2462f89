//! Silences of a run: how long no step has finished, seen from within and from another thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Heartbeat of a run: progress is the end of warm-up, and every step finished after it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Heartbeat {
    /// A silence after warm-up, the last one included, outlasted the threshold.
    pub stalled: bool,
    /// How long a silence may last, in seconds; 0 before the warm-up is over.
    pub threshold_s: f64,
    /// Seconds since the last progress; 0 before the warm-up is over.
    pub last_progress_age_s: f64,
}

/// Notices silences. A step that never returns cannot notice its own: so the thread that steps
/// beats it, and another may wait for it to bark.
///
/// ```
/// use std::time::Duration;
/// use vram_metrics::watchdog::Watchdog;
///
/// let watchdog = Watchdog::default();
/// std::thread::scope(|scope| {
///     let waiting = scope.spawn(|| watchdog.wait());
///     watchdog.arm(Duration::from_millis(20));
///     // No beat comes.
///     let silent = waiting.join().unwrap().unwrap();
///     assert!(silent.stalled && silent.last_progress_age_s >= 0.02);
/// });
/// ```
#[derive(Debug, Default)]
pub struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// None until it is armed.
    armed: Option<Silence>,
    over: bool,
}

/// How long nothing was heard.
#[derive(Debug)]
struct Silence {
    since: Instant,
    /// The longest that a beat ended.
    longest: Duration,
    threshold: Duration,
}

impl Silence {
    fn heartbeat(&self) -> Heartbeat {
        let last = self.since.elapsed();
        Heartbeat {
            stalled: self.longest.max(last) > self.threshold,
            threshold_s: self.threshold.as_secs_f64(),
            last_progress_age_s: last.as_secs_f64(),
        }
    }
}

impl Watchdog {
    /// From now on a silence longer than `threshold` is a stall.
    pub fn arm(&self, threshold: Duration) {
        let silence = Silence { since: Instant::now(), longest: Duration::ZERO, threshold };
        self.state().armed = Some(silence);
        self.changed.notify_all();
    }

    /// Something was heard.
    pub fn beat(&self) {
        if let Some(silence) = &mut self.state().armed {
            silence.longest = silence.longest.max(silence.since.elapsed());
            silence.since = Instant::now();
        }
    }

    /// Nothing is to be heard any more: [`Watchdog::wait`] returns.
    pub fn stop(&self) {
        self.state().over = true;
        self.changed.notify_all();
    }

    /// What was heard until now.
    pub fn heartbeat(&self) -> Heartbeat {
        self.state().armed.as_ref().map_or_else(Heartbeat::default, Silence::heartbeat)
    }

    /// Waits for a silence that outlasts the threshold; none once it is stopped.
    pub fn wait(&self) -> Option<Heartbeat> {
        let mut state = self.state();
        loop {
            if state.over {
                return None;
            }
            let Some(silence) = &state.armed else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(rest) = silence.threshold.checked_sub(silence.since.elapsed()) else {
                return Some(silence.heartbeat());
            };
            let waited = self.changed.wait_timeout(state, rest + Duration::from_millis(1));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_keep_it_quiet_and_stopping_ends_the_wait() {
        let watchdog = Watchdog::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| watchdog.wait());
            watchdog.arm(Duration::from_millis(500));
            for _ in 0..8 {
                std::thread::sleep(Duration::from_millis(100));
                watchdog.beat();
            }
            assert!(!watchdog.heartbeat().stalled);
            watchdog.stop();
            assert_eq!(waiting.join().unwrap(), None);
        });
    }

    #[test]
    fn it_waits_until_it_is_armed() {
        let watchdog = Watchdog::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| watchdog.wait());
            std::thread::sleep(Duration::from_millis(50));
            assert!(!waiting.is_finished());
            assert_eq!(watchdog.heartbeat(), Heartbeat::default());
            watchdog.stop();
        });
    }

    #[test]
    fn a_silence_that_a_beat_ended_is_remembered() {
        let watchdog = Watchdog::default();
        watchdog.arm(Duration::from_millis(100));
        std::thread::sleep(Duration::from_millis(200));
        watchdog.beat();
        let heard = watchdog.heartbeat();
        assert!(heard.stalled && heard.last_progress_age_s < 0.2, "{heard:?}");
    }
}
