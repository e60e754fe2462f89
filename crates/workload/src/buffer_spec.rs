//! What a step allocates, by name and formula. Every allocation names its spec, so that the ledger
//! is the code's own and not a description beside it.

use strum::VariantArray;

use crate::extent::Extent;
use crate::formula::product;
use crate::shape::Shape;

/// What kind of memory a buffer is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum BufferKind {
    /// What backward reads of the ring: one whole state per token, or the rows that each read.
    #[strum(serialize = "ring tape")]
    Tape,
    /// The ring state as it is now, in forward.
    #[strum(serialize = "ring state")]
    RingState,
    /// The gradient of the ring state, in backward.
    #[strum(serialize = "ring gradient")]
    RingGradient,
    /// What forward keeps per token for backward.
    #[strum(serialize = "token activations")]
    Activations,
    /// What backward needs besides.
    #[strum(serialize = "backward workspace")]
    Workspace,
    /// Features, logits, loss.
    Readout,
    /// Parameters.
    Weights,
    /// Parameters in half precision.
    #[strum(serialize = "half-precision weights")]
    HalfWeights,
    /// Gradients of the parameters.
    Gradients,
    /// Adam's moments and counts, the loss scale.
    Optimizer,
    /// Inputs and labels.
    Inputs,
    /// Where the parameters lie, and the host's own bookkeeping of tensors.
    #[strum(serialize = "parameter table")]
    Table,
}

impl BufferKind {
    /// Every kind, the largest of a usual step first.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
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
