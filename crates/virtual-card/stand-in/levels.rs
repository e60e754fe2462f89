//! Numbers of bytes with the most that they were, which several processes change at once.

use std::sync::atomic::Ordering::Relaxed;

use crate::protocol::{CardLevels, Level};

/// What is counted of a card.
pub type Of = fn(&CardLevels) -> &Level;

/// Adds to a level. Whether it is higher than it ever was.
pub fn add(level: &Level, bytes: u64) -> bool {
    let now = level.now.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    level.peak.fetch_max(now, Relaxed) < now
}
