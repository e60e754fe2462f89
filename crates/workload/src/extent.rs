//! The factors of which every buffer's length is a product, and how each grows with a size.

use std::fmt;

use strum::VariantArray;

use crate::shape::{CLASSES, Shape};

/// A size that a user sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SizeParam {
    /// `batch_size`.
    Batch,
    /// `synth_len`.
    SynthLen,
    /// `ring_len`.
    RingLen,
    /// `slot_dim`.
    SlotDim,
    /// `out_dim`.
    OutDim,
}

impl SizeParam {
    /// Every size.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name in specs and on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A factor of a buffer's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extent {
    /// Samples, `B`.
    Batch,
    /// Tokens, `T`.
    Tokens,
    /// States before each token and after the last, `T+1`.
    States,
    /// Slots of the ring, `R`.
    Ring,
    /// Width of a slot, `D`.
    Slot,
    /// Width of the sensory path, `S`.
    Sensory,
    /// Readout heads, `E`.
    Heads,
    /// Elements of all parameters, `P`.
    Parameters,
    /// Number of parameters (named tensors), `N`.
    Tensors,
    /// Classes of the readout, `C`.
    Classes,
    /// Samples whose hidden state is watched, `n' = min(B, state_loop_samples)`.
    Watched,
    /// A number.
    Times(u64),
}

impl Extent {
    /// Its size in a step of `shape`; none where that is counted over the parameters.
    pub(crate) fn direct(self, shape: &Shape) -> Option<u64> {
        let size = match self {
            Self::Batch => shape.batch,
            Self::Tokens => shape.synth_len,
            Self::States => shape.synth_len + 1,
            Self::Ring => shape.ring_len,
            Self::Slot => shape.slot_dim,
            Self::Sensory => shape.sensory,
            Self::Heads => shape.out_dim,
            Self::Classes => CLASSES,
            Self::Watched => shape.watched(),
            Self::Times(n) => return Some(n),
            Self::Parameters | Self::Tensors => return None,
        };
        Some(size as u64)
    }

    /// `d ln(extent) / d ln(size)`; none as of [`Extent::direct`]. Derived extents follow: the
    /// sensory width grows with the slot's.
    pub(crate) fn direct_elasticity(self, shape: &Shape, size: SizeParam) -> Option<f64> {
        let whole = |own: SizeParam| if own == size { 1.0 } else { 0.0 };
        Some(match self {
            Self::Batch => whole(SizeParam::Batch),
            Self::Tokens => whole(SizeParam::SynthLen),
            Self::States => {
                whole(SizeParam::SynthLen) * shape.synth_len as f64 / (shape.synth_len + 1) as f64
            }
            Self::Ring => whole(SizeParam::RingLen),
            Self::Slot => whole(SizeParam::SlotDim),
            // S = max(8, D/3).
            Self::Sensory if shape.slot_dim >= 24 => whole(SizeParam::SlotDim),
            Self::Heads => whole(SizeParam::OutDim),
            Self::Watched if shape.batch <= shape.state_loop_samples => whole(SizeParam::Batch),
            Self::Sensory | Self::Classes | Self::Watched | Self::Times(_) => 0.0,
            Self::Parameters | Self::Tensors => return None,
        })
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch => f.write_str("B"),
            Self::Tokens => f.write_str("T"),
            Self::States => f.write_str("(T+1)"),
            Self::Ring => f.write_str("R"),
            Self::Slot => f.write_str("D"),
            Self::Sensory => f.write_str("S"),
            Self::Heads => f.write_str("E"),
            Self::Parameters => f.write_str("P"),
            Self::Tensors => f.write_str("N"),
            Self::Classes => f.write_str("C"),
            Self::Watched => f.write_str("n'"),
            Self::Times(n) => write!(f, "{n}"),
        }
    }
}

/// The extents as the code writes them.
pub(crate) mod names {
    use super::Extent;
    use crate::shape::TAPS;

    pub(crate) const B: Extent = Extent::Batch;
    pub(crate) const T: Extent = Extent::Tokens;
    pub(crate) const T1: Extent = Extent::States;
    pub(crate) const R: Extent = Extent::Ring;
    pub(crate) const D: Extent = Extent::Slot;
    pub(crate) const S: Extent = Extent::Sensory;
    pub(crate) const E: Extent = Extent::Heads;
    pub(crate) const P: Extent = Extent::Parameters;
    pub(crate) const N: Extent = Extent::Tensors;
    pub(crate) const C: Extent = Extent::Classes;
    pub(crate) const ONE: Extent = Extent::Times(1);
    pub(crate) const TWO: Extent = Extent::Times(2);
    pub(crate) const THREE: Extent = Extent::Times(3);
    pub(crate) const FOUR: Extent = Extent::Times(4);
    pub(crate) const K: Extent = Extent::Times(TAPS as u64);
}
