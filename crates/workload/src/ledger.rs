//! The exact list of what is alive in each phase of a fused step, before anything runs.
//!
//! The ledger is the step itself, run where allocations are written down and kernels are not run: an
//! allocation that the code gains, the ledger gains.

use candle_core::Device;
use vram_metrics::phase::Phase;
use vram_presets::step::StepKind;

use crate::buffer_spec::BufferKind;
use crate::device_kind::DeviceKind;
use crate::error::WorkloadError;
use crate::extent::SizeParam;
use crate::ledger_entry::LedgerEntry;
use crate::memory::context::Context;
use crate::memory::log::AllocationLog;
use crate::shape::Shape;
use crate::step::trainer::Trainer;

/// Every buffer of a step, with the phases in which it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    shape: Shape,
    entries: Vec<LedgerEntry>,
}

impl Ledger {
    /// The ledger of a fused step of `shape`. However large that is, this takes no time and no
    /// memory to speak of: what is recorded is a step of the smallest sizes, which asks for the same
    /// buffers, and a buffer's bytes are its formula's.
    ///
    /// # Errors
    ///
    /// None that a checked shape can cause.
    pub fn new(shape: &Shape, device: DeviceKind) -> Result<Self, WorkloadError> {
        let log = AllocationLog::default();
        let context = Context::recording(device, log.clone());
        let small = Shape {
            batch: 1,
            synth_len: shape.synth_len.min(2),
            ring_len: 1,
            slot_dim: 8,
            sensory: 8,
            sensory_delay: 1,
            out_dim: shape.out_dim.min(2),
            state_loop_samples: shape.state_loop_samples.min(1),
            ..shape.clone()
        };
        let mark = &mut |phase| log.mark(phase);
        mark(Phase::Start);
        let kind = StepKind::Fused;
        let mut trainer = Trainer::in_context(small, kind, 0, &Device::Cpu, &context, mark)?;
        trainer.step(mark)?;
        // Before the trainer goes, and its buffers with it: they outlive the step.
        let entries = log.to_entries();
        Ok(Self { shape: shape.clone(), entries })
    }

    /// The step's sizes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Every buffer, in the order in which the step asks for them.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// Bytes of each buffer with another number of samples, in the order of [`entries`](Self::entries);
    /// none beyond 64 bits.
    pub fn bytes_with_batch(&self, batch: usize) -> Option<Vec<u64>> {
        let shape = Shape { batch, ..self.shape.clone() };
        self.entries.iter().map(|entry| entry.bytes(&shape)).collect()
    }

    /// Bytes alive at a phase; none beyond 64 bits.
    pub fn at(&self, phase: Phase) -> Option<u64> {
        self.at_of(phase, &self.shape)
    }

    /// The most bytes alive at any phase: the step's peak allocated.
    pub fn peak(&self) -> Option<u64> {
        self.peak_of(&self.shape)
    }

    /// The phase of the peak.
    pub fn peak_phase(&self) -> Phase {
        let phases = Phase::ALL.iter().copied();
        phases.max_by_key(|phase| self.at(*phase)).unwrap_or(Phase::BackwardPeak)
    }

    /// The peak of the same step with another number of samples; none beyond 64 bits. Only the
    /// sizes change, so no step has to be recorded again.
    pub fn peak_with_batch(&self, batch: usize) -> Option<u64> {
        self.peak_of(&Shape { batch, ..self.shape.clone() })
    }

    /// Bytes of a kind alive at a phase; none beyond 64 bits.
    pub fn kind_at(&self, kind: BufferKind, phase: Phase) -> Option<u64> {
        let entries = self.entries.iter().filter(|e| e.spec.kind == kind);
        sum(entries.filter(|e| e.alive_at(phase)).map(|e| e.bytes(&self.shape)))
    }

    /// How the peak grows with a size: `d ln(peak) / d ln(size)`, 1 being linear. Derived sizes
    /// follow: the sensory width grows with the slot's.
    pub fn elasticity(&self, size: SizeParam) -> Option<f64> {
        let phase = self.peak_phase();
        let alive = || self.entries.iter().filter(|e| e.alive_at(phase));
        let total = self.at(phase)? as f64;
        let grown: Option<Vec<f64>> = alive()
            .map(|e| {
                let extents = e.spec.extents.iter();
                let slope: f64 = extents.map(|e| e.elasticity(&self.shape, size)).sum();
                Some(slope * e.bytes(&self.shape)? as f64)
            })
            .collect();
        Some(grown?.iter().sum::<f64>() / total)
    }

    fn at_of(&self, phase: Phase, shape: &Shape) -> Option<u64> {
        sum(self.entries.iter().filter(|e| e.alive_at(phase)).map(|e| e.bytes(shape)))
    }

    fn peak_of(&self, shape: &Shape) -> Option<u64> {
        let phases: Option<Vec<u64>> = Phase::ALL.iter().map(|p| self.at_of(*p, shape)).collect();
        phases?.into_iter().max()
    }
}

fn sum(mut bytes: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    bytes.try_fold(0u64, |sum, bytes| sum.checked_add(bytes?))
}
