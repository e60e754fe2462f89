//! What a step allocates, by name and formula. Every allocation names its item, so that the ledger
//! is the code's own and not a description beside it.

use std::fmt;

use crate::Shape;
use crate::shape::{CLASSES, TAPS};

/// A factor of a buffer's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
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
    /// All parameters, `P`.
    Parameters,
    /// Groups of parameters that a step reaches or not, `1+E`.
    Groups,
    /// Classes of the readout, `C`.
    Classes,
    /// A number.
    Times(u64),
}

impl Dim {
    /// Its size in a step of `shape`.
    pub fn of(self, shape: &Shape) -> u64 {
        let size = match self {
            Self::Batch => shape.batch,
            Self::Tokens => shape.synth_len,
            Self::States => shape.synth_len + 1,
            Self::Ring => shape.ring_len,
            Self::Slot => shape.slot_dim,
            Self::Sensory => shape.sensory,
            Self::Parameters => shape.parameters(),
            Self::Groups => 1 + shape.out_dim,
            Self::Classes => CLASSES,
            Self::Times(n) => return n,
        };
        size as u64
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch => f.write_str("B"),
            Self::Tokens => f.write_str("T"),
            Self::States => f.write_str("(T+1)"),
            Self::Ring => f.write_str("R"),
            Self::Slot => f.write_str("D"),
            Self::Sensory => f.write_str("S"),
            Self::Parameters => f.write_str("P"),
            Self::Groups => f.write_str("(1+E)"),
            Self::Classes => f.write_str("C"),
            Self::Times(n) => write!(f, "{n}"),
        }
    }
}

/// What kind of memory a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
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
    /// Names and places of the parameters.
    Table,
}

impl Class {
    /// Every class, the largest of a usual step first.
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

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A buffer that a step allocates: its kind, its name, and its length as a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Its kind.
    pub class: Class,
    /// Its name.
    pub name: &'static str,
    /// The factors of its length in elements.
    pub dims: &'static [Dim],
}

impl Item {
    pub(crate) const fn new(class: Class, name: &'static str, dims: &'static [Dim]) -> Self {
        Self { class, name, dims }
    }

    /// Elements in a step of `shape`. The products of a checked shape cannot wrap.
    pub(crate) fn len(&self, shape: &Shape) -> usize {
        self.dims.iter().map(|dim| dim.of(shape) as usize).product()
    }
}

/// The factors as the allocations write them.
pub(crate) mod dims {
    use super::{Dim, TAPS};

    pub(crate) const B: Dim = Dim::Batch;
    pub(crate) const T: Dim = Dim::Tokens;
    pub(crate) const T1: Dim = Dim::States;
    pub(crate) const R: Dim = Dim::Ring;
    pub(crate) const D: Dim = Dim::Slot;
    pub(crate) const S: Dim = Dim::Sensory;
    pub(crate) const P: Dim = Dim::Parameters;
    pub(crate) const G: Dim = Dim::Groups;
    pub(crate) const C: Dim = Dim::Classes;
    pub(crate) const TWO: Dim = Dim::Times(2);
    pub(crate) const FOUR: Dim = Dim::Times(4);
    pub(crate) const K: Dim = Dim::Times(TAPS as u64);
}
