//! What a step asked for, and what of it is alive: the ledger's raw material.

use std::sync::{Arc, Mutex, MutexGuard};

use vram_metrics::Phase;

use super::spec::BufferSpec;
use crate::shape::Shape;

/// One buffer of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub spec: BufferSpec,
    /// Bytes of an element.
    pub element_bytes: u64,
    /// Bit n is set if it is alive at phase n of [`Phase::ALL`].
    alive: u8,
}

impl Entry {
    /// Whether it is alive at a phase.
    pub fn alive_at(&self, phase: Phase) -> bool {
        self.alive & bit(phase) != 0
    }

    /// Its size in bytes in a step of `shape`; none beyond 64 bits.
    pub fn bytes(&self, shape: &Shape) -> Option<u64> {
        self.spec.elements(shape)?.checked_mul(self.element_bytes)
    }

    /// Its size as a formula: `4 T B 4 D`.
    pub fn formula(&self) -> String {
        let extents: String = self.spec.extents.iter().map(|e| format!(" {e}")).collect();
        format!("{}{extents}", self.element_bytes)
    }
}

fn bit(phase: Phase) -> u8 {
    1 << Phase::ALL.iter().position(|p| *p == phase).unwrap_or(7)
}

/// Every allocation in its order, shared by all who allocate.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllocationLog(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    all: Vec<Entry>,
    live: Vec<bool>,
}

impl AllocationLog {
    /// Writes down an allocation, which lives until the guard is dropped.
    pub(crate) fn open(&self, spec: &BufferSpec, element_bytes: u64) -> AllocationGuard {
        let mut entries = self.entries();
        entries.all.push(Entry { spec: *spec, element_bytes, alive: 0 });
        entries.live.push(true);
        AllocationGuard { log: self.clone(), at: entries.all.len() - 1 }
    }

    /// What is alive now is alive at `phase`.
    pub(crate) fn mark(&self, phase: Phase) {
        let Entries { all, live } = &mut *self.entries();
        let live = all.iter_mut().zip(live).filter(|(_, live)| **live);
        live.for_each(|(entry, _)| entry.alive |= bit(phase));
    }

    pub(crate) fn to_entries(&self) -> Vec<Entry> {
        self.entries().all.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // A push or a flag is all that happens under the lock.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A buffer in the log: alive until this is dropped.
#[derive(Debug)]
pub(crate) struct AllocationGuard {
    log: AllocationLog,
    at: usize,
}

impl Drop for AllocationGuard {
    fn drop(&mut self) {
        self.log.entries().live[self.at] = false;
    }
}
