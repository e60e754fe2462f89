//! What forward keeps for backward besides the tape: `[T,B,...]` row-major, one buffer a kind.

use crate::backend::Stages;
use crate::item::dims::{B, D, FOUR, S, T, T1, TWO};
use crate::item::{Class, Dim, Item};
use crate::{Shape, WorkloadError};

/// Activations of every token. Backward turns some of them into gradients in place.
#[derive(Debug)]
pub struct Activations<X: Stages> {
    /// `tanh(sensory_proj_in(x_t))`, `[T,B,S]`.
    pub(crate) sensory_in: X::Buf<f32>,
    /// The sensory cell's input: `sensory_in` and the delayed state, `[T,B,S]`.
    pub(crate) sensory_x: X::Buf<f32>,
    /// Gates of the sensory cell, `[T,B,4S]`.
    pub(crate) sensory_gates: X::Buf<f32>,
    /// Sensory states before each token and after the last, `[T+1,B,S]`; the first is zero.
    pub(crate) sensory: X::Buf<f32>,
    /// `tanh(sensory_bridge(s_t))`, `[T,B,D]`.
    pub(crate) bridged: X::Buf<f32>,
    /// The main cell's input, `[T,B,D]`.
    pub(crate) x: X::Buf<f32>,
    /// Gates of the main cell, `[T,B,4D]`.
    pub(crate) gates: X::Buf<f32>,
    /// Hidden states before each token and after the last, `[T+1,B,D]`; the first is zero.
    pub(crate) hidden: X::Buf<f32>,
    /// Raw outputs of the four scalar heads, `[T,B,4]`.
    pub(crate) heads: X::Buf<f32>,
    /// Pointers before each token and after the last, `[T+1,B]`.
    pub(crate) pointers: X::Buf<f64>,
    /// Anchor and residual of the pointers as they are now, `[B,2]`.
    pub(crate) carry: X::Buf<f64>,
    /// Distance that each sample's pointer has moved, `[B]`.
    pub(crate) moved: X::Buf<f64>,
    pub(crate) scratch: X::Scratch,
}

const fn kept(name: &'static str, dims: &'static [Dim]) -> Item {
    Item::new(Class::Activations, name, dims)
}

const SENSORY_IN: Item = kept("sensory inputs", &[T, B, S]);
const SENSORY_X: Item = kept("sensory cell inputs", &[T, B, S]);
const SENSORY_GATES: Item = kept("sensory gates", &[T, B, FOUR, S]);
const SENSORY: Item = kept("sensory states", &[T1, B, S]);
const BRIDGED: Item = kept("bridge outputs", &[T, B, D]);
const INPUTS: Item = kept("cell inputs", &[T, B, D]);
const GATES: Item = kept("gates", &[T, B, FOUR, D]);
const HIDDEN: Item = kept("hidden states", &[T1, B, D]);
const HEADS: Item = kept("scalar heads", &[T, B, FOUR]);
const POINTERS: Item = kept("pointers", &[T1, B]);
const CARRY: Item = kept("anchors and residuals", &[TWO, B]);
const MOVED: Item = kept("distances moved", &[B]);

impl<X: Stages> Activations<X> {
    pub(crate) fn new(backend: &X, shape: &Shape) -> Result<Self, WorkloadError> {
        let floats = |item: &Item| backend.zeroed(item, shape);
        let doubles = |item: &Item| backend.zeroed(item, shape);
        Ok(Self {
            sensory_in: floats(&SENSORY_IN)?,
            sensory_x: floats(&SENSORY_X)?,
            sensory_gates: floats(&SENSORY_GATES)?,
            sensory: floats(&SENSORY)?,
            bridged: floats(&BRIDGED)?,
            x: floats(&INPUTS)?,
            gates: floats(&GATES)?,
            hidden: floats(&HIDDEN)?,
            heads: floats(&HEADS)?,
            pointers: doubles(&POINTERS)?,
            carry: doubles(&CARRY)?,
            moved: doubles(&MOVED)?,
            scratch: backend.scratch(shape)?,
        })
    }
}
