use crate::backend::Stages;
use crate::{Backend, Gradients, LossScale, Model, WorkloadError};

/// Adam with a step count of its own for every group of parameters: an expert that got no gradient
/// in a step keeps its moments and its count.
#[derive(Debug)]
pub struct Adam<B: Backend> {
    pub(crate) lr: f64,
    pub(crate) first: B::Buf<f32>,
    pub(crate) second: B::Buf<f32>,
    /// Updates of each group.
    pub(crate) counts: B::Buf<i32>,
    /// What undoes the loss scale of the step.
    pub(crate) unscale: B::Buf<f32>,
}

impl<B: Stages> Adam<B> {
    /// Zeroed moments for `model`; `lr` is the learning rate.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if they do not fit.
    pub fn new(model: &Model<B>, lr: f64) -> Result<Self, WorkloadError> {
        let len = model.shape.parameters();
        let moments = || model.backend.zeroed("the optimizer's moments", len);
        Ok(Self {
            lr,
            first: moments()?,
            second: moments()?,
            counts: model.backend.zeroed("the optimizer's counts", model.layout.groups())?,
            unscale: model.backend.zeroed("the optimizer's counts", 1)?,
        })
    }

    /// Updates every parameter that backward reached, if all gradients are finite, and moves
    /// `scale`, which they were scaled with.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Device`] if the device fails.
    pub fn step(
        &mut self,
        model: &mut Model<B>,
        grads: &mut Gradients<B>,
        scale: &mut LossScale<B>,
    ) -> Result<(), WorkloadError> {
        B::update(model, grads, self, scale)
    }
}
