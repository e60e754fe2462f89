//! A number of bytes and its peak.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::meter::Reading;

/// A number of bytes and the most it has been. Statistics only: nothing is ordered by it.
pub(super) struct Counter {
    current: AtomicU64,
    peak: AtomicU64,
}

impl Counter {
    pub(super) const fn new() -> Self {
        Self { current: AtomicU64::new(0), peak: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, bytes: usize) {
        let now = self.current.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        // Most allocations are below the peak: a load is cheaper than an exchange.
        if now > self.peak.load(Relaxed) {
            self.peak.fetch_max(now, Relaxed);
        }
    }

    pub(super) fn sub(&self, bytes: usize) {
        self.current.fetch_sub(bytes as u64, Relaxed);
    }

    pub(super) fn reset_peak(&self) {
        self.peak.store(self.current.load(Relaxed), Relaxed);
    }

    pub(super) fn reading(&self) -> Reading {
        Reading { current: self.current.load(Relaxed), peak: self.peak.load(Relaxed) }
    }
}
