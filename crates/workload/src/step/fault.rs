//! Faults that are put into a step on purpose, to try what watches over it.

use candle_core::Tensor;

use super::trainer::Trainer;
use crate::error::WorkloadError;
use crate::parameters::at;

/// What [`Trainer::inject`] breaks, so that what watches over a run can be tried on a real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A weight that every token meets becomes NaN, and with it the loss and the gradients.
    Nan,
    /// No head gives the first sample's class a chance: its cross-entropy, and with it the loss, is
    /// infinite. The gradients are finite.
    Inf,
    /// The loss is scaled out of the range of the mode's numbers, and with it the gradients. The loss
    /// itself is finite.
    Overflow,
}

/// Far out of the range of fp16, and its inverse is a normal number still.
const HUGE: f32 = f32::MAX / 4.0;

impl Trainer {
    /// Breaks the next step. A dynamic loss scale gets over an overflow; nothing gets over the
    /// others.
    ///
    /// # Errors
    ///
    /// If the device does not take it.
    pub fn inject(&mut self, fault: Fault) -> Result<(), WorkloadError> {
        match fault {
            Fault::Nan => self.set_weight(at::BRIDGE + 1, 0, f32::NAN),
            Fault::Inf => {
                let label = self.batch.y.to_vec1::<u32>()?[0] as usize;
                let heads = (at::READOUT..self.model.tensors().len()).skip(1).step_by(2);
                heads
                    .into_iter()
                    .try_for_each(|bias| self.set_weight(bias, label, f32::NEG_INFINITY))
            }
            Fault::Overflow => {
                // No number is out of the range of fp32 and bf16.
                let scale = if self.scale.dynamic { HUGE } else { f32::INFINITY };
                let state = Tensor::new(&[scale, 0.0], self.model.device())?;
                Ok(self.scale.state.set(&state)?)
            }
        }
    }

    /// Replaces one number of a bias, by way of the host.
    fn set_weight(&mut self, place: usize, i: usize, value: f32) -> Result<(), WorkloadError> {
        let var = candle_core::Var::from_tensor(self.model.tensor(place))?;
        let mut values = var.to_vec1::<f32>()?;
        values[i] = value;
        Ok(var.set(&Tensor::from_vec(values, var.dims(), var.device())?)?)
    }
}
