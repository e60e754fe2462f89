//! The card's own counters and clock.

pub mod events;
pub mod pool;
