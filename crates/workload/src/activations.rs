//! What forward keeps for backward besides the tape: `[T,B,...]` row-major, one buffer a kind.

use crate::backend::Stages;
use crate::{Shape, WorkloadError};

/// Activations of every token. Backward turns some of them into gradients in place.
#[derive(Debug)]
pub struct Activations<B: Stages> {
    /// `tanh(sensory_proj_in(x_t))`, `[T,B,S]`.
    pub(crate) sensory_in: B::Buf<f32>,
    /// The sensory cell's input: `sensory_in` and the delayed state, `[T,B,S]`.
    pub(crate) sensory_x: B::Buf<f32>,
    /// Gates of the sensory cell, `[T,B,4S]`.
    pub(crate) sensory_gates: B::Buf<f32>,
    /// Sensory states before each token and after the last, `[T+1,B,S]`; the first is zero.
    pub(crate) sensory: B::Buf<f32>,
    /// `tanh(sensory_bridge(s_t))`, `[T,B,D]`.
    pub(crate) bridged: B::Buf<f32>,
    /// The main cell's input, `[T,B,D]`.
    pub(crate) x: B::Buf<f32>,
    /// Gates of the main cell, `[T,B,4D]`.
    pub(crate) gates: B::Buf<f32>,
    /// Hidden states before each token and after the last, `[T+1,B,D]`; the first is zero.
    pub(crate) hidden: B::Buf<f32>,
    /// Raw outputs of the four scalar heads, `[T,B,4]`.
    pub(crate) heads: B::Buf<f32>,
    /// Pointers before each token and after the last, `[T+1,B]`.
    pub(crate) pointers: B::Buf<f64>,
    /// Anchor and residual of the pointers as they are now, `[B,2]`.
    pub(crate) carry: B::Buf<f64>,
    /// Distance that each sample's pointer has moved, `[B]`.
    pub(crate) moved: B::Buf<f64>,
    pub(crate) scratch: B::Scratch,
}

impl<B: Stages> Activations<B> {
    pub(crate) fn new(backend: &B, shape: &Shape) -> Result<Self, WorkloadError> {
        let (n, b, s, d) = (shape.tokens(), shape.batch, shape.sensory, shape.slot_dim);
        let floats = |len: usize| backend.zeroed("the token activations", len);
        let doubles = |len: usize| backend.zeroed("the token activations", len);
        Ok(Self {
            sensory_in: floats(n * s)?,
            sensory_x: floats(n * s)?,
            sensory_gates: floats(n * 4 * s)?,
            sensory: floats((n + b) * s)?,
            bridged: floats(n * d)?,
            x: floats(n * d)?,
            gates: floats(n * 4 * d)?,
            hidden: floats((n + b) * d)?,
            heads: floats(n * 4)?,
            pointers: doubles(n + b)?,
            carry: doubles(2 * b)?,
            moved: doubles(b)?,
            scratch: backend.scratch(shape)?,
        })
    }
}
