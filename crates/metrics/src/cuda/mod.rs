//! The card's own counters and clock.

mod events;
mod pool;

pub use events::EventClock;
pub use pool::PoolMeter;
