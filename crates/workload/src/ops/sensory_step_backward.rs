//! The elementwise part of the sensory path backward, from one token to the one before it.

use super::gru::gate_gradients;
use super::numeric::{Numeric, in_compute};
use super::ring_rows::axpy;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Shape;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments, mode},
    crate::memory::pointer::Ptr,
};

/// Token `from + 1` gives its cell's input gradient `dx [B,S]` on: through the tanh of the input
/// layer, and to the state that came back. Then token `from`, where there is one: the gradients of
/// its gates from those of its state, and `z * dh` into `d_before`.
pub(crate) struct SensoryStepBackward<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) from: Option<usize>,
    pub(crate) dx: View<'a, f32>,
    /// `[T,B,S]`: the gradients before the tanh take the values' place.
    pub(crate) inputs: ViewMut<'a, f32>,
    /// `[T,B,S]`, from the bridge and from states that came back.
    pub(crate) d_states: ViewMut<'a, f32>,
    /// `[T+1,B,S]`
    pub(crate) states: View<'a, f32>,
    /// From the token after, `[B,S]`; on the CPU it becomes the whole gradient.
    pub(crate) d_state: ViewMut<'a, f32>,
    pub(crate) d_before: ViewMut<'a, f32>,
    /// `[T,B,4S]`: the gradients of the pre-activations take token `from`'s place.
    pub(crate) gates: ViewMut<'a, f32>,
}

impl Kernel for SensoryStepBackward<'_> {
    fn cpu(self) {
        let (shape, dx) = (self.shape, self.dx.host());
        let (len, s) = (shape.batch * shape.sensory, shape.sensory);
        let next = self.from.map_or(0, |t| t + 1);
        let d_states = self.d_states.host();
        in_compute!(shape.compute, |N| {
            if next < shape.synth_len {
                let inputs = &mut self.inputs.host()[next * len..(next + 1) * len];
                inputs.iter_mut().zip(dx).for_each(|(v, g)| *v = N::round(g * (1.0 - *v * *v)));
                if let Some(delayed) = next.checked_sub(shape.sensory_delay) {
                    axpy(1.0, dx, &mut d_states[delayed * len..(delayed + 1) * len]);
                }
            }
            let Some(t) = self.from else { return };
            let d_state = self.d_state.host();
            axpy(1.0, &d_states[t * len..(t + 1) * len], d_state);
            let before = &self.states.host()[t * len..(t + 1) * len];
            let gates = &mut self.gates.host()[t * 4 * len..(t + 1) * 4 * len];
            gate_gradients::<N>((d_state, before), gates, self.d_before.host(), s);
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let shape = self.shape;
        let len = shape.batch * shape.sensory;
        let arguments = SensoryStepBackwardArguments::new(self);
        // SAFETY: the sensory path's buffers of this step.
        unsafe { card.launch("sensory_step_backward", Grid::elements(len), arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `SensoryStepBackwardArguments` of sensory_step_backward.cu.
    struct SensoryStepBackwardArguments: 80 {
        dx: Ptr<f32> = 0,
        inputs: Ptr<f32> = 8,
        d_states: Ptr<f32> = 16,
        states: Ptr<f32> = 24,
        d_state: Ptr<f32> = 32,
        d_before: Ptr<f32> = 40,
        gates: Ptr<f32> = 48,
        from: i32 = 56,
        tokens: i32 = 60,
        delay: i32 = 64,
        len: i32 = 68,
        width: i32 = 72,
        mode: i32 = 76,
    }
}

#[cfg(feature = "cuda")]
impl SensoryStepBackwardArguments {
    pub(super) fn new(step: SensoryStepBackward) -> Self {
        let shape = step.shape;
        Self {
            dx: step.dx.card(),
            inputs: step.inputs.card(),
            d_states: step.d_states.card(),
            states: step.states.card(),
            d_state: step.d_state.card(),
            d_before: step.d_before.card(),
            gates: step.gates.card(),
            from: step.from.map_or(-1, |t| t as i32),
            tokens: shape.synth_len as i32,
            delay: i32::try_from(shape.sensory_delay).unwrap_or(i32::MAX),
            len: (shape.batch * shape.sensory) as i32,
            width: shape.sensory as i32,
            mode: mode(shape.compute),
        }
    }
}
