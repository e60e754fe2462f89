//! How a pool is set up.

/// How a program set a pool up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(stand_in), derive(serde::Serialize))]
pub struct PoolSettings {
    /// Bytes that the pool may keep at a synchronisation.
    pub release_threshold: u64,
    /// Whether it reuses memory by the order of events.
    pub reuse_follow_event_dependencies: bool,
    /// Whether it reuses memory that happens to be free already.
    pub reuse_allow_opportunistic: bool,
    /// Whether it inserts waits to reuse memory.
    pub reuse_allow_internal_dependencies: bool,
}

impl PoolSettings {
    /// As the driver makes a pool.
    pub const DEFAULT: Self = Self {
        release_threshold: 0,
        reuse_follow_event_dependencies: true,
        reuse_allow_opportunistic: true,
        reuse_allow_internal_dependencies: true,
    };

    /// Keeps what it has, and reuses it by the order of calls alone.
    pub const KEEPS_EVERYTHING: Self = Self {
        release_threshold: u64::MAX,
        reuse_follow_event_dependencies: false,
        reuse_allow_opportunistic: false,
        reuse_allow_internal_dependencies: false,
    };

    /// Whether what is reserved depends on how far the card is when memory is asked for.
    pub fn depend_on_progress(&self) -> bool {
        self.reuse_allow_opportunistic
    }
}
