//! What a step allocates, by name and formula. Every allocation names its spec, so that the ledger
//! is the code's own and not a description beside it.

use std::fmt;

use crate::extent::Extent;
use crate::formula::product;
use crate::shape::Shape;

/// What kind of memory a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BufferKind {
    /// One whole ring state per token.
    Tape,
    /// Whole ring states beside the tape.
    RingGradient,
    /// What forward keeps per token for backward.
    Activations,
    /// What backward needs besides.
    Workspace,
    /// Features, logits, loss.
    Readout,
    /// Parameters.
    Weights,
    /// Parameters in half precision.
    HalfWeights,
    /// Gradients of the parameters.
    Gradients,
    /// Adam's moments and counts, the loss scale.
    Optimizer,
    /// Inputs and labels.
    Inputs,
    /// Where the parameters lie, and the host's own bookkeeping of tensors.
    Table,
}

impl BufferKind {
    /// Every kind, the largest of a usual step first.
    pub const ALL: [Self; 11] = [
        Self::Tape,
        Self::RingGradient,
        Self::Activations,
        Self::Workspace,
        Self::Readout,
        Self::Weights,
        Self::HalfWeights,
        Self::Gradients,
        Self::Optimizer,
        Self::Inputs,
        Self::Table,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tape => "ring tape",
            Self::RingGradient => "ring gradient",
            Self::Activations => "token activations",
            Self::Workspace => "backward workspace",
            Self::Readout => "readout",
            Self::Weights => "weights",
            Self::HalfWeights => "half-precision weights",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer",
            Self::Inputs => "inputs",
            Self::Table => "parameter table",
        }
    }
}

impl fmt::Display for BufferKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A buffer that a step allocates: its kind, its name, and its length as a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferSpec {
    /// Its kind.
    pub kind: BufferKind,
    /// Its name.
    pub name: &'static str,
    /// The factors of its length in elements.
    pub extents: &'static [Extent],
}

impl BufferSpec {
    pub(crate) const fn new(
        kind: BufferKind,
        name: &'static str,
        extents: &'static [Extent],
    ) -> Self {
        Self { kind, name, extents }
    }

    /// Elements in a step of `shape`; none beyond 64 bits.
    pub(crate) fn elements(&self, shape: &Shape) -> Option<u64> {
        product(self.extents, shape)
    }

    /// Elements in a step of `shape`. The products of a checked shape cannot wrap.
    pub(crate) fn len(&self, shape: &Shape) -> usize {
        self.elements(shape).unwrap_or(u64::MAX) as usize
    }
}
