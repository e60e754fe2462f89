use crate::backend::Stages;
use crate::item::{Class, Item, dims};
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

const FIRST: Item = Item::new(Class::Optimizer, "first moments", &[dims::P]);
const SECOND: Item = Item::new(Class::Optimizer, "second moments", &[dims::P]);
const COUNTS: Item = Item::new(Class::Optimizer, "update counts", &[dims::G]);
const UNSCALE: Item = Item::new(Class::Optimizer, "inverse loss scale", &[]);

impl<B: Stages> Adam<B> {
    /// Zeroed moments for `model`; `lr` is the learning rate.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if they do not fit.
    pub fn new(model: &Model<B>, lr: f64) -> Result<Self, WorkloadError> {
        let (backend, shape) = (&model.backend, &model.shape);
        Ok(Self {
            lr,
            first: backend.zeroed(&FIRST, shape)?,
            second: backend.zeroed(&SECOND, shape)?,
            counts: backend.zeroed(&COUNTS, shape)?,
            unscale: backend.zeroed(&UNSCALE, shape)?,
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
