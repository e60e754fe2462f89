//! What a step asked for, and what of it is alive: the ledger's raw material.

use std::sync::{Arc, Mutex, MutexGuard};

use vram_metrics::phase::Phase;

use crate::buffer_spec::BufferSpec;
use crate::ledger_entry::LedgerEntry;

/// Every allocation in its order, shared by all who allocate.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllocationLog(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    all: Vec<LedgerEntry>,
    live: Vec<bool>,
}

impl AllocationLog {
    /// Writes down an allocation, which lives until the guard is dropped.
    pub(crate) fn open(&self, spec: &BufferSpec, element_bytes: u64) -> AllocationGuard {
        let mut entries = self.entries();
        entries.all.push(LedgerEntry::new(*spec, element_bytes));
        entries.live.push(true);
        AllocationGuard { log: self.clone(), at: entries.all.len() - 1 }
    }

    /// What is alive now is alive at `phase`.
    pub(crate) fn mark(&self, phase: Phase) {
        let Entries { all, live } = &mut *self.entries();
        let live = all.iter_mut().zip(live).filter(|(_, live)| **live);
        live.for_each(|(entry, _)| entry.mark(phase));
    }

    pub(crate) fn to_entries(&self) -> Vec<LedgerEntry> {
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
        let Entries { all, live } = &mut *self.log.entries();
        live[self.at] = false;
        let so_far = all.len();
        all[self.at].free_after(so_far);
    }
}
