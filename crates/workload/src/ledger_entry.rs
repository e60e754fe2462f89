//! A line of the ledger: one buffer, its size and the phases in which it is alive.

use vram_metrics::phase::Phase;

use crate::buffer_spec::BufferSpec;
use crate::shape::Shape;

/// One buffer of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerEntry {
    /// What it is.
    pub spec: BufferSpec,
    /// Bytes of an element.
    pub element_bytes: u64,
    /// Bit n is set if it is alive at phase n of [`Phase::ALL`].
    alive: u8,
    /// How many buffers had been asked for when it was freed; none if it outlives the step.
    freed_after: Option<usize>,
}

impl LedgerEntry {
    /// A buffer that is alive at no phase yet.
    pub(crate) fn new(spec: BufferSpec, element_bytes: u64) -> Self {
        Self { spec, element_bytes, alive: 0, freed_after: None }
    }

    /// It is alive at this phase.
    pub(crate) fn mark(&mut self, phase: Phase) {
        self.alive |= bit(phase);
    }

    /// It is freed when so many buffers were asked for.
    pub(crate) fn free_after(&mut self, buffers: usize) {
        self.freed_after = Some(buffers);
    }

    /// How many of the ledger's buffers had been asked for when it was freed; none if it outlives the
    /// step.
    pub fn freed_after(&self) -> Option<usize> {
        self.freed_after
    }

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
