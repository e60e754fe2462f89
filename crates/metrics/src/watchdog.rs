//! Notices from another thread that a step never returns.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Notices a silence from outside: a step that never returns cannot notice its own.
///
/// The thread that steps beats it; another waits for it to bark.
///
/// ```
/// use std::time::Duration;
/// use vram_metrics::Watchdog;
///
/// let watchdog = Watchdog::default();
/// std::thread::scope(|scope| {
///     let waiting = scope.spawn(|| watchdog.wait());
///     watchdog.arm(Duration::from_millis(20));
///     // No beat comes.
///     assert!(waiting.join().unwrap().is_some_and(|silence| silence.as_millis() >= 20));
/// });
/// ```
#[derive(Debug, Default)]
pub struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Since when nothing was heard, and how long that may last; none until it is armed.
    armed: Option<(Instant, Duration)>,
    over: bool,
}

impl Watchdog {
    /// From now on a silence longer than `threshold` is a stall.
    pub fn arm(&self, threshold: Duration) {
        self.state().armed = Some((Instant::now(), threshold));
        self.changed.notify_all();
    }

    /// Something was heard.
    pub fn beat(&self) {
        if let Some((since, _)) = &mut self.state().armed {
            *since = Instant::now();
        }
    }

    /// Nothing is to be heard any more: [`Watchdog::wait`] returns.
    pub fn stop(&self) {
        self.state().over = true;
        self.changed.notify_all();
    }

    /// Waits for a stall and returns how long the silence is; none once it is stopped.
    pub fn wait(&self) -> Option<Duration> {
        let mut state = self.state();
        loop {
            if state.over {
                return None;
            }
            let Some((since, threshold)) = state.armed else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let silence = since.elapsed();
            if silence > threshold {
                return Some(silence);
            }
            let rest = (threshold - silence) + Duration::from_millis(1);
            let waited = self.changed.wait_timeout(state, rest);
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
            watchdog.stop();
        });
    }
}
