//! Every size of a step, checked before anything is allocated.

use vram_presets::spec::{Precision, PtrDtype, WorkloadSpec};
use vram_presets::tape::TapeKind;

use crate::error::WorkloadError;

/// Classes of the readout (`C` in the model's description).
pub const CLASSES: usize = 256;

/// The most readout heads of a step. Each is two named tensors with allocations of their own, so
/// that an absurd number would take the host's memory before the first buffer could be refused.
pub const MOST_HEADS: usize = 1 << 12;

/// Number of slots a token reads and writes: half-width 2 around the pointer.
pub const TAPS: usize = 5;

/// Numbers in which matrix products and GRU cells run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// Single precision throughout.
    Fp32,
    /// Half precision with a dynamic loss scale.
    Fp16,
    /// Brain floating point, no loss scale.
    Bf16,
}

/// Numbers in which the pointer moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointer {
    /// Double precision, as in every OD1 preset.
    Fp64,
    /// Single precision.
    Fp32,
}

/// Every size of one OD1 training step, checked before anything is allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Samples per step, `B`.
    pub batch: usize,
    /// Tokens per sample, `T`.
    pub synth_len: usize,
    /// Slots of the ring, `R`.
    pub ring_len: usize,
    /// Width of a slot and of the hidden state, `D`.
    pub slot_dim: usize,
    /// Readout heads, `E`.
    pub out_dim: usize,
    /// Width of the sensory path, `S = max(8, floor(D/3))`.
    pub sensory: usize,
    /// Tokens after which a sensory state comes back, `max(1, floor(R/2))`.
    pub sensory_delay: usize,
    /// The pointer moves at every token whose index this divides.
    pub ptr_update_every: usize,
    /// Numbers of the matrix products.
    pub compute: Compute,
    /// Numbers of the pointer.
    pub pointer: Pointer,
    /// Samples whose hidden state is watched, at most; 0 watches none.
    pub state_loop_samples: usize,
    /// What the fused step keeps of the ring for backward.
    pub tape: TapeKind,
}

impl Shape {
    /// Checks that `spec` can run here and derives the step's sizes. The tape is the full one;
    /// [`Shape::with_tape`] chooses.
    ///
    /// # Errors
    ///
    /// Refuses precision fp64 and amp, a precision that contradicts `amp`, half-precision
    /// pointers, zero sizes, more than [`MOST_HEADS`] heads, and sizes whose product leaves the
    /// address space.
    pub fn new(spec: &WorkloadSpec, out_dim: u64, amp: bool) -> Result<Self, WorkloadError> {
        let compute = match (spec.ant.precision, amp) {
            (Precision::Fp32, false) => Compute::Fp32,
            (Precision::Fp16, true) => Compute::Fp16,
            (Precision::Bf16, true) => Compute::Bf16,
            (Precision::Fp32 | Precision::Fp16 | Precision::Bf16, _) => {
                return Err(WorkloadError::AmpMismatch { precision: spec.ant.precision, amp });
            }
            (other, _) => return Err(WorkloadError::PrecisionNotRunnable(other)),
        };
        let pointer = match spec.ant.ptr_dtype {
            PtrDtype::Fp64 => Pointer::Fp64,
            PtrDtype::Fp32 => Pointer::Fp32,
            other => return Err(WorkloadError::PointerNotRunnable(other)),
        };
        let slot_dim = size("slot_dim", spec.ant.slot_dim)?;
        let ring_len = size("ring_len", spec.ant.ring_len)?;
        let shape = Self {
            batch: size("batch_size", spec.colony.batch_size)?,
            synth_len: size("synth_len", spec.colony.synth_len)?,
            ring_len,
            slot_dim,
            out_dim: heads(out_dim)?,
            sensory: (slot_dim / 3).max(8),
            sensory_delay: (ring_len / 2).max(1),
            ptr_update_every: size("ptr_update_every", spec.colony.ptr_update_every)?,
            compute,
            pointer,
            // More than the address space holds is every sample, as is any number from `B` on.
            state_loop_samples: usize::try_from(spec.colony.state_loop_samples)
                .unwrap_or(usize::MAX),
            tape: TapeKind::default(),
        };
        shape.check_products()?;
        Ok(shape)
    }

    /// The same step with another tape.
    #[must_use]
    pub fn with_tape(self, tape: TapeKind) -> Self {
        Self { tape, ..self }
    }

    /// Elements of one ring state, `B*R*D`.
    pub fn state_len(&self) -> usize {
        self.batch * self.ring_len * self.slot_dim
    }

    /// Rows that the tape keeps of a sample per token: the whole ring, or those that were read.
    pub(crate) fn tape_rows(&self) -> usize {
        match self.tape {
            TapeKind::Full => self.ring_len,
            TapeKind::Rows => TAPS,
        }
    }

    /// Samples times tokens, `B*T`.
    pub fn tokens(&self) -> usize {
        self.batch * self.synth_len
    }

    /// Samples whose hidden state the state loop watches, `n' = min(B, state_loop_samples)`.
    pub fn watched(&self) -> usize {
        self.batch.min(self.state_loop_samples)
    }

    /// Every product the step forms is bounded by one of these, so that none of them can wrap.
    fn check_products(&self) -> Result<(), WorkloadError> {
        let widest = 4 * self.slot_dim.max(self.sensory);
        for (what, factors) in [
            ("the ring tape", vec![self.synth_len, self.batch, self.ring_len, self.slot_dim]),
            ("the token activations", vec![self.synth_len, self.batch, widest]),
            ("the recurrent weights", vec![widest, widest]),
            ("the readout heads", vec![self.out_dim, CLASSES, self.slot_dim + 1]),
            ("the pointer fields", vec![self.ring_len, 2]),
        ] {
            // 64: eight bytes for the widest element, eight buffers of a kind in one sum.
            let bytes = factors.iter().try_fold(64usize, |acc, &f| acc.checked_mul(f));
            if bytes.is_none_or(|b| isize::try_from(b).is_err()) {
                return Err(WorkloadError::Overflow {
                    what,
                    factors: factors.iter().map(|&f| f as u64).collect(),
                });
            }
        }
        Ok(())
    }
}

/// `slot_dim * 4` and the like are formed before the products are checked.
const LARGEST: u64 = 1 << 40;

fn size(name: &'static str, value: u64) -> Result<usize, WorkloadError> {
    if value == 0 {
        return Err(WorkloadError::Zero { name });
    }
    match usize::try_from(value) {
        Ok(n) if value <= LARGEST => Ok(n),
        _ => Err(WorkloadError::Overflow { what: name, factors: vec![value] }),
    }
}

fn heads(out_dim: u64) -> Result<usize, WorkloadError> {
    match size("out_dim", out_dim)? {
        heads if heads <= MOST_HEADS => Ok(heads),
        heads => Err(WorkloadError::TooManyHeads { heads: heads as u64, most: MOST_HEADS as u64 }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use vram_presets::spec::{AntSpec, ColonySpec};

    use super::*;

    fn spec() -> WorkloadSpec {
        let (ptr_dtype, precision) = (PtrDtype::Fp64, Precision::Fp32);
        WorkloadSpec::new(
            AntSpec { ring_len: 9, slot_dim: 48, ptr_dtype, precision },
            ColonySpec {
                batch_size: 2,
                ptr_update_every: 1,
                seq_len: 4,
                state_loop_samples: 0,
                synth_len: 5,
            },
        )
    }

    /// A small fp32 shape of these sizes.
    pub(crate) fn shape_of(ring_len: u64, slot_dim: u64, out_dim: u64) -> Shape {
        let mut spec = spec();
        (spec.ant.ring_len, spec.ant.slot_dim) = (ring_len, slot_dim);
        Shape::new(&spec, out_dim, false).unwrap()
    }

    fn refused(amp: bool, change: impl FnOnce(&mut WorkloadSpec)) -> WorkloadError {
        let mut spec = spec();
        change(&mut spec);
        Shape::new(&spec, 1, amp).unwrap_err()
    }

    #[test]
    fn derived_sizes_are_the_models() {
        let shape = Shape::new(&spec(), 3, false).unwrap();
        // S = max(8, 48/3), Ls = max(1, 9/2), B*R*D, B*T.
        assert_eq!((shape.sensory, shape.sensory_delay), (16, 4));
        assert_eq!((shape.state_len(), shape.tokens()), (2 * 9 * 48, 10));
        let mut tiny = spec();
        (tiny.ant.ring_len, tiny.ant.slot_dim) = (1, 8);
        let tiny = Shape::new(&tiny, 1, false).unwrap();
        assert_eq!((tiny.sensory, tiny.sensory_delay), (8, 1));
    }

    #[test]
    fn what_cannot_run_is_refused_with_the_reason() {
        use WorkloadError as E;
        let fp64 = refused(false, |s| s.ant.precision = Precision::Fp64);
        assert!(matches!(fp64, E::PrecisionNotRunnable(Precision::Fp64)));
        let amp = refused(true, |s| s.ant.precision = Precision::Amp);
        assert!(matches!(amp, E::PrecisionNotRunnable(Precision::Amp)));
        assert!(matches!(refused(true, |_| ()), E::AmpMismatch { amp: true, .. }));
        let half = refused(false, |s| s.ant.precision = Precision::Bf16);
        assert_eq!(
            half.to_string(),
            "precision bf16 with amp 0 is not a mode of this workload: \
             fp32 goes with amp 0, fp16 and bf16 go with amp 1"
        );
        let pointer = refused(false, |s| s.ant.ptr_dtype = PtrDtype::Fp16);
        assert!(pointer.to_string().contains("cannot address a ring"));
        let zero = refused(false, |s| s.colony.batch_size = 0);
        assert!(matches!(zero, E::Zero { name: "batch_size" }));
    }

    /// Every size by itself, and every product, before anything is allocated.
    #[test]
    fn sizes_that_overflow_are_refused() {
        type Change = fn(&mut WorkloadSpec, u64);
        let sizes: [Change; 4] = [
            |s, n| s.ant.ring_len = n,
            |s, n| s.ant.slot_dim = n,
            |s, n| s.colony.batch_size = n,
            |s, n| s.colony.synth_len = n,
        ];
        for change in sizes {
            for n in [u64::MAX, 1 << 62, 1 << 41] {
                let error = refused(false, |s| change(s, n));
                assert!(matches!(error, WorkloadError::Overflow { .. }), "{n}: {error}");
            }
        }
        let product = refused(false, |s| (s.ant.ring_len, s.colony.synth_len) = (1 << 31, 1 << 31));
        assert!(product.to_string().contains("the ring tape"), "{product}");
        let mut wide = spec();
        wide.ant.slot_dim = 1 << 20;
        for heads in [MOST_HEADS as u64 + 1, 1 << 40] {
            let error = Shape::new(&wide, heads, false).unwrap_err();
            assert!(matches!(error, WorkloadError::TooManyHeads { heads: h, .. } if h == heads));
        }
        assert!(Shape::new(&spec(), MOST_HEADS as u64, false).is_ok());
    }
}
