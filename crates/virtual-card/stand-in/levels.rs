//! Numbers of bytes with the most that they were.
//!
//! Those of all processes are changed by several at once. Those of one are changed under a lock of its
//! own: a load and a store do, which cost a tenth of what a locked addition does, and there are some ten
//! of them for each request.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::protocol::{CardLevels, Level};

/// What is counted of a card.
pub type Of = fn(&CardLevels) -> &Level;

/// Adds to a level of all processes.
pub fn add_shared(level: &Level, bytes: u64) {
    let now = level.now.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    if level.peak.load(Relaxed) < now {
        level.peak.fetch_max(now, Relaxed);
    }
}

/// Adds to a level of this process. Whether it is higher than it ever was.
pub fn add_own(level: &Level, bytes: u64) -> bool {
    change(&level.now, |now| now.wrapping_add(bytes));
    let now = level.now.load(Relaxed);
    let is_highest = level.peak.load(Relaxed) < now;
    if is_highest {
        level.peak.store(now, Relaxed);
    }
    is_highest
}

/// Changes a number of this process.
pub fn change(number: &AtomicU64, change: impl FnOnce(u64) -> u64) {
    number.store(change(number.load(Relaxed)), Relaxed);
}
