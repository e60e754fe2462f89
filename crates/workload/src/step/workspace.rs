//! What backward allocates: alive from its start to its end.

use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::Extent;
use crate::extent::names::{B, C, D, K, R, S, T, TWO};
use crate::memory::buffer::Buffer;
use crate::memory::context::Context;
use crate::shape::Shape;

#[derive(Debug)]
pub(crate) struct Workspace {
    /// Gradient of the ring state, `[B,R,D]`: the one whole state besides the tape.
    pub(crate) d_ring: Buffer<f32>,
    /// Gradients of the logits, `[B,C]`.
    pub(crate) d_logits: Buffer<f32>,
    /// Gradients of the hidden state, of the one before, of the cell's input: `[B,D]` each.
    pub(crate) d_hidden: Buffer<f32>,
    pub(crate) d_before: Buffer<f32>,
    pub(crate) d_x: Buffer<f32>,
    /// Gradients of the tap weights, `[B,5]`, and of the context's gain, `[B]`: per sample, so
    /// that they are summed in the same order in every run.
    pub(crate) d_taps: Buffer<f32>,
    pub(crate) d_gain: Buffer<f32>,
    /// Gradients of the pointers and of their residuals, `[B,2]`.
    pub(crate) d_pointer: Buffer<f64>,
    /// Gradients of the rounded targets, `[T,B]`.
    pub(crate) d_target: Buffer<f32>,
    /// Gradients of the sensory states, `[T,B,S]`.
    pub(crate) d_sensory: Buffer<f32>,
    /// The same three of the sensory cell, `[B,S]` each.
    pub(crate) d_sensory_state: Buffer<f32>,
    pub(crate) d_sensory_before: Buffer<f32>,
    pub(crate) d_sensory_x: Buffer<f32>,
}

const fn work(name: &'static str, extents: &'static [Extent]) -> BufferSpec {
    BufferSpec::new(BufferKind::Workspace, name, extents)
}

const D_RING: BufferSpec =
    BufferSpec::new(BufferKind::RingGradient, "gradient of the ring state", &[B, R, D]);
const D_LOGITS: BufferSpec = work("gradients of the logits", &[B, C]);
const D_HIDDEN: BufferSpec = work("gradient of the hidden state", &[B, D]);
const D_BEFORE: BufferSpec = work("gradient of the hidden state before", &[B, D]);
const D_X: BufferSpec = work("gradient of the cell's input", &[B, D]);
const D_TAPS: BufferSpec = work("gradients of the taps", &[B, K]);
const D_GAIN: BufferSpec = work("gradients of the gain", &[B]);
const D_POINTER: BufferSpec = work("gradients of the pointers", &[TWO, B]);
const D_TARGET: BufferSpec = work("gradients of the targets", &[T, B]);
const D_SENSORY: BufferSpec = work("gradients of the sensory states", &[T, B, S]);
const D_SENSORY_STATE: BufferSpec = work("gradient of the sensory state", &[B, S]);
const D_SENSORY_BEFORE: BufferSpec = work("gradient of the sensory state before", &[B, S]);
const D_SENSORY_X: BufferSpec = work("gradient of the sensory cell's input", &[B, S]);

impl Workspace {
    pub(crate) fn new(context: &Context, shape: &Shape) -> Result<Self, WorkloadError> {
        let floats = |spec: &BufferSpec| context.zeros::<f32>(spec, shape);
        Ok(Self {
            d_ring: floats(&D_RING)?,
            d_logits: floats(&D_LOGITS)?,
            d_hidden: floats(&D_HIDDEN)?,
            d_before: floats(&D_BEFORE)?,
            d_x: floats(&D_X)?,
            d_taps: floats(&D_TAPS)?,
            d_gain: floats(&D_GAIN)?,
            d_pointer: context.zeros::<f64>(&D_POINTER, shape)?,
            d_target: floats(&D_TARGET)?,
            d_sensory: floats(&D_SENSORY)?,
            d_sensory_state: floats(&D_SENSORY_STATE)?,
            d_sensory_before: floats(&D_SENSORY_BEFORE)?,
            d_sensory_x: floats(&D_SENSORY_X)?,
        })
    }
}
