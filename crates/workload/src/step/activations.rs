//! What forward keeps for backward besides the tape: `[T,B,...]` row-major, one buffer a kind.

use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::device_kind::DeviceKind;
use crate::error::WorkloadError;
use crate::extent::Extent;
use crate::extent::names::{B, D, FOUR, S, T, T1, TWO};
use crate::memory::buffer::{Buffer, ViewMut};
use crate::memory::context::Context;
use crate::shape::Shape;

/// Activations of every token. Backward turns some of them into gradients in place.
#[derive(Debug)]
pub(crate) struct Activations {
    /// The inputs in the order of the tokens, in the mode's numbers, `[T,B]`.
    pub(crate) inputs: Buffer<f32>,
    /// `tanh(sensory_proj_in(x_t))`, `[T,B,S]`.
    pub(crate) sensory_in: Buffer<f32>,
    /// The sensory cell's input: `sensory_in` and the delayed state, `[T,B,S]`.
    pub(crate) sensory_x: Buffer<f32>,
    /// Gates of the sensory cell, `[T,B,4S]`.
    pub(crate) sensory_gates: Buffer<f32>,
    /// Sensory states before each token and after the last, `[T+1,B,S]`; the first is zero.
    pub(crate) sensory: Buffer<f32>,
    /// `tanh(sensory_bridge(s_t))`, `[T,B,D]`.
    pub(crate) bridged: Buffer<f32>,
    /// The main cell's input, `[T,B,D]`.
    pub(crate) x: Buffer<f32>,
    /// Gates of the main cell, `[T,B,4D]`.
    pub(crate) gates: Buffer<f32>,
    /// Hidden states before each token and after the last, `[T+1,B,D]`; the first is zero.
    pub(crate) hidden: Buffer<f32>,
    /// Raw outputs of the four scalar heads, `[T,B,4]`.
    pub(crate) heads: Buffer<f32>,
    /// Pointers before each token and after the last, `[T+1,B]`.
    pub(crate) pointers: Buffer<f64>,
    /// Anchor and residual of the pointers as they are now, `[B,2]`.
    pub(crate) carry: Buffer<f64>,
    /// Distance that each sample's pointer has moved, `[B]`.
    pub(crate) moved: Buffer<f64>,
    pub(crate) operands: Operands,
}

/// On the CPU: a hidden state in the mode's numbers, as the cells' products take it. A card rounds
/// as it reads.
#[derive(Debug)]
pub(crate) struct Operands {
    main: Option<Buffer<f32>>,
    sensory: Option<Buffer<f32>>,
}

const fn kept(name: &'static str, extents: &'static [Extent]) -> BufferSpec {
    BufferSpec::new(BufferKind::Activations, name, extents)
}

const INPUTS: BufferSpec = kept("inputs by token", &[T, B]);
const SENSORY_IN: BufferSpec = kept("sensory inputs", &[T, B, S]);
const SENSORY_X: BufferSpec = kept("sensory cell inputs", &[T, B, S]);
const SENSORY_GATES: BufferSpec = kept("sensory gates", &[T, B, FOUR, S]);
const SENSORY: BufferSpec = kept("sensory states", &[T1, B, S]);
const BRIDGED: BufferSpec = kept("bridge outputs", &[T, B, D]);
const X: BufferSpec = kept("cell inputs", &[T, B, D]);
const GATES: BufferSpec = kept("gates", &[T, B, FOUR, D]);
const HIDDEN: BufferSpec = kept("hidden states", &[T1, B, D]);
const HEADS: BufferSpec = kept("scalar heads", &[T, B, FOUR]);
const POINTERS: BufferSpec = kept("pointers", &[T1, B]);
const CARRY: BufferSpec = kept("anchors and residuals", &[TWO, B]);
const MOVED: BufferSpec = kept("distances moved", &[B]);
const OPERAND: BufferSpec = kept("cell operand", &[B, D]);
const SENSORY_OPERAND: BufferSpec = kept("sensory cell operand", &[B, S]);

impl Activations {
    pub(crate) fn new(context: &Context, shape: &Shape) -> Result<Self, WorkloadError> {
        let floats = |spec: &BufferSpec| context.zeros::<f32>(spec, shape);
        let doubles = |spec: &BufferSpec| context.zeros::<f64>(spec, shape);
        Ok(Self {
            inputs: floats(&INPUTS)?,
            sensory_in: floats(&SENSORY_IN)?,
            sensory_x: floats(&SENSORY_X)?,
            sensory_gates: floats(&SENSORY_GATES)?,
            sensory: floats(&SENSORY)?,
            bridged: floats(&BRIDGED)?,
            x: floats(&X)?,
            gates: floats(&GATES)?,
            hidden: floats(&HIDDEN)?,
            heads: floats(&HEADS)?,
            pointers: doubles(&POINTERS)?,
            carry: doubles(&CARRY)?,
            moved: doubles(&MOVED)?,
            operands: match context.kind() {
                DeviceKind::Cpu => Operands {
                    main: Some(floats(&OPERAND)?),
                    sensory: Some(floats(&SENSORY_OPERAND)?),
                },
                DeviceKind::Cuda => Operands { main: None, sensory: None },
            },
        })
    }
}

impl Operands {
    pub(crate) fn main(&mut self) -> Option<ViewMut<'_, f32>> {
        self.main.as_mut().map(Buffer::view_mut)
    }

    pub(crate) fn sensory(&mut self) -> Option<ViewMut<'_, f32>> {
        self.sensory.as_mut().map(Buffer::view_mut)
    }
}
