//! What forward keeps for backward besides the tape: `[T,B,...]` row-major, one buffer a kind.

use crate::{Shape, WorkloadError, memory};

/// Activations of every token. Backward turns some of them into gradients in place.
#[derive(Debug)]
pub(crate) struct Activations {
    /// `tanh(sensory_proj_in(x_t))`, `[T,B,S]`.
    pub(crate) sensory_in: Vec<f32>,
    /// The sensory cell's input: `sensory_in` and the delayed state, `[T,B,S]`.
    pub(crate) sensory_x: Vec<f32>,
    /// Gates of the sensory cell, `[T,B,4S]`.
    pub(crate) sensory_gates: Vec<f32>,
    /// Sensory states before each token and after the last, `[T+1,B,S]`; the first is zero.
    pub(crate) sensory: Vec<f32>,
    /// `tanh(sensory_bridge(s_t))`, `[T,B,D]`.
    pub(crate) bridged: Vec<f32>,
    /// The main cell's input, `[T,B,D]`.
    pub(crate) x: Vec<f32>,
    /// Gates of the main cell, `[T,B,4D]`.
    pub(crate) gates: Vec<f32>,
    /// Hidden states before each token and after the last, `[T+1,B,D]`; the first is zero.
    pub(crate) hidden: Vec<f32>,
    /// Raw outputs of the four scalar heads, `[T,B,4]`.
    pub(crate) heads: Vec<f32>,
    /// Pointers before token t, `[T,B]`.
    pub(crate) pointers: Vec<f64>,
}

impl Activations {
    pub(crate) fn new(shape: &Shape) -> Result<Self, WorkloadError> {
        let (n, s, d) = (shape.tokens(), shape.sensory, shape.slot_dim);
        let states = n + shape.batch;
        let floats = |len: usize| memory::zeroed("the token activations", len);
        Ok(Self {
            sensory_in: floats(n * s)?,
            sensory_x: floats(n * s)?,
            sensory_gates: floats(n * 4 * s)?,
            sensory: floats(states * s)?,
            bridged: floats(n * d)?,
            x: floats(n * d)?,
            gates: floats(n * 4 * d)?,
            hidden: floats(states * d)?,
            heads: floats(n * 4)?,
            pointers: memory::zeroed("the token activations", n)?,
        })
    }
}

/// The part of a `[T,...]` buffer that belongs to token `t`, `len` elements each.
pub(crate) fn token<X>(buffer: &[X], t: usize, len: usize) -> &[X] {
    &buffer[t * len..(t + 1) * len]
}

/// As [`token`], to be written.
pub(crate) fn token_mut<X>(buffer: &mut [X], t: usize, len: usize) -> &mut [X] {
    &mut buffer[t * len..(t + 1) * len]
}

/// Parts `t` (to be read) and `t + 1` (to be written): the states before and after token `t`.
pub(crate) fn around<X>(buffer: &mut [X], t: usize, len: usize) -> (&[X], &mut [X]) {
    let (done, rest) = buffer.split_at_mut((t + 1) * len);
    (&done[t * len..], &mut rest[..len])
}
