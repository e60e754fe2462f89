use crate::{Backend, Trainer, WorkloadError};

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

impl<B: Backend> Trainer<B> {
    /// Breaks the next step. A dynamic loss scale gets over an overflow; nothing gets over the
    /// others.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Device`] if the device does not take it.
    pub fn inject(&mut self, fault: Fault) -> Result<(), WorkloadError> {
        match fault {
            Fault::Nan => self.set_weight(self.model.layout.bridge.bias.start, f32::NAN),
            Fault::Inf => {
                let label = self.model.backend.read(&self.batch.labels, 0..1)?[0] as usize;
                let heads: Vec<usize> =
                    self.model.layout.readout.iter().map(|head| head.bias.start).collect();
                heads.into_iter().try_for_each(|at| self.set_weight(at + label, f32::NEG_INFINITY))
            }
            Fault::Overflow => {
                // No number is out of the range of fp32 and bf16.
                let scale = if self.scale.dynamic { HUGE } else { f32::INFINITY };
                self.model.backend.write(&mut self.scale.state, 0, &[scale])
            }
        }
    }

    fn set_weight(&mut self, at: usize, value: f32) -> Result<(), WorkloadError> {
        self.model.backend.write(&mut self.model.weights, at, &[value])
    }
}
