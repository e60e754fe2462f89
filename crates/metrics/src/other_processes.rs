//! Whether other processes on the device changed what they hold while a window ran.

use std::time::{Duration, Instant};

use crate::meter::{Meter, MeterError};

/// A window is disturbed where what others hold on its device changes by more than this, in bytes.
/// Less is the driver's own bookkeeping; the context of another process alone takes several hundred
/// megabytes.
pub const DISTURBANCE_BYTES: u64 = 32 << 20;

/// What others hold is asked for at the end of a step when this much time has passed since it was
/// asked for last, and at both ends of the window. The question costs a tenth of a millisecond, and
/// nobody comes and goes on a card in less time than this.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What others hold on the device, against what they held at first.
pub(crate) struct OtherProcesses {
    at_first: u64,
    /// The farthest they were from it; none where there are none to see.
    pub(crate) moved: Option<Result<u64, MeterError>>,
    looked: Instant,
}

impl OtherProcesses {
    /// Nobody is looked for.
    pub(crate) fn ignored() -> Self {
        Self { at_first: 0, moved: None, looked: Instant::now() }
    }

    pub(crate) fn seen_by(meter: &dyn Meter) -> Self {
        let (at_first, moved) = match meter.outside_bytes() {
            Some(Ok(at_first)) => (at_first, Some(Ok(0))),
            refused => (0, refused),
        };
        Self { at_first, moved, looked: Instant::now() }
    }

    pub(crate) fn look(&mut self, meter: &dyn Meter) {
        let Some(Ok(moved)) = &mut self.moved else { return };
        match meter.outside_bytes() {
            Some(Ok(now)) => *moved = (*moved).max(now.abs_diff(self.at_first)),
            Some(Err(error)) => self.moved = Some(Err(error)),
            None => self.moved = None,
        }
        self.looked = Instant::now();
    }

    /// Looks if that was long ago.
    pub(crate) fn glance(&mut self, meter: &dyn Meter) {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.look(meter);
        }
    }
}
