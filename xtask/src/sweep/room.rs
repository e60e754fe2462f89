//! Whether a row has room on its device, asked before it starts.

use std::fmt;

use vram_cli::study::gib;
use vram_metrics::{DeviceFacts, Driver, VRAM_GUARD_RATIO};

use super::binary::Target;

/// A device's memory now, in bytes, as far as it says.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub total: Option<u64>,
    pub available: Option<u64>,
}

impl Memory {
    pub fn of(target: &Target) -> Self {
        let facts = match &target.card {
            None => DeviceFacts::host(),
            Some(card) => {
                let driver = Driver::open().and_then(|driver| driver.version()).unwrap_or_default();
                DeviceFacts::card(card, driver)
            }
        };
        Self { total: facts.total_bytes, available: facts.available_bytes }
    }

    /// Whether a peak of `needs` bytes leaves the guard's margin. Nothing to hold against each
    /// other is no shortage: the run itself will tell.
    pub fn room_for(&self, needs: Option<u64>) -> Result<(), Shortage> {
        let within = |of: u64| needs.is_none_or(|needs| needs <= guarded(of));
        let of = self.total.or(self.available).unwrap_or_default();
        let needs = needs.unwrap_or_default();
        match (self.total, self.available) {
            (Some(total), _) if !within(total) => Err(Shortage::Device { needs, of }),
            (_, Some(free)) if !within(free) => Err(Shortage::Neighbours { needs, free, of }),
            _ => Ok(()),
        }
    }
}

/// What the guard allows of this much memory, in whole bytes.
pub fn guarded(bytes: u64) -> u64 {
    (bytes as f64 * VRAM_GUARD_RATIO) as u64
}

/// Why there is no room, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The device is too small.
    Device { needs: u64, of: u64 },
    /// It would do, but others hold a part of it.
    Neighbours { needs: u64, free: u64, of: u64 },
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Device { needs, of } => write!(
                f,
                "it needs {} GiB, and the guard allows {} of {} GiB",
                gib(needs),
                gib(guarded(of)),
                gib(of)
            ),
            Self::Neighbours { needs, free, of } => write!(
                f,
                "it needs {} GiB, and {} of {} GiB are free now: other processes hold the rest",
                gib(needs),
                gib(free),
                gib(of)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_device_and_a_neighbour_are_told_apart() {
        let memory = Memory { total: Some(1000), available: Some(900) };
        assert_eq!(memory.room_for(Some(828)), Ok(()));
        let neighbours = Shortage::Neighbours { needs: 829, free: 900, of: 1000 };
        assert_eq!(memory.room_for(Some(829)), Err(neighbours));
        assert_eq!(memory.room_for(Some(921)), Err(Shortage::Device { needs: 921, of: 1000 }));
        let gib = 1 << 30;
        let neighbours = Shortage::Neighbours { needs: 3 * gib, free: gib, of: 8 * gib };
        assert_eq!(
            neighbours.to_string(),
            "it needs 3.000 GiB, and 1.000 of 8.000 GiB are free now: other processes hold the rest"
        );
    }

    #[test]
    fn what_is_unknown_is_no_shortage() {
        for (total, available) in [(None, None), (Some(1000), None), (None, Some(1000))] {
            assert_eq!(Memory { total, available }.room_for(None), Ok(()));
            assert_eq!(Memory { total, available }.room_for(Some(920)), Ok(()));
        }
    }
}
