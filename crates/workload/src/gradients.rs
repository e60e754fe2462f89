use candle_core::Tensor;

use crate::backend::Stages;
use crate::item::{Class, Item, dims};
use crate::model::named;
use crate::{Backend, Model, WorkloadError};

/// Gradients of all parameters, in the model's flat layout.
#[derive(Debug)]
pub struct Gradients<B: Backend> {
    pub(crate) values: B::Buf<f32>,
    /// Per group of parameters: whether the last backward reached it. Group 0 is what every step
    /// reaches, group `1 + e` is expert e.
    pub(crate) reached: B::Buf<u32>,
    /// Whether the last update saw a NaN, and whether it saw an infinity.
    pub(crate) found: B::Buf<u32>,
}

const VALUES: Item = Item::new(Class::Gradients, "gradients", &[dims::P]);
const REACHED: Item = Item::new(Class::Gradients, "groups reached", &[dims::G]);
const FOUND: Item = Item::new(Class::Gradients, "non-finite found", &[dims::TWO]);

impl<B: Stages> Gradients<B> {
    /// A buffer for `model`'s gradients.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if it does not fit.
    pub fn new(model: &Model<B>) -> Result<Self, WorkloadError> {
        let (backend, shape) = (&model.backend, &model.shape);
        Ok(Self {
            values: backend.zeroed(&VALUES, shape)?,
            reached: backend.zeroed(&REACHED, shape)?,
            found: backend.zeroed(&FOUND, shape)?,
        })
    }

    /// The gradients by parameter name, as `f32` tensors on the CPU; parameters that backward did
    /// not reach are left out.
    ///
    /// # Errors
    ///
    /// If the device does not give them out or candle refuses a tensor.
    pub fn named(&self, model: &Model<B>) -> Result<Vec<(String, Tensor)>, WorkloadError> {
        let values = model.backend.read(&self.values, 0..model.shape.parameters())?;
        let reached = model.backend.read(&self.reached, 0..model.layout.groups())?;
        let all = named(&model.layout, &values)?.into_iter().zip(&model.layout.entries);
        let wanted = all.filter(|(_, entry)| entry.group.is_some_and(|g| reached[g] != 0));
        Ok(wanted.map(|(gradient, _)| gradient).collect())
    }

    /// Whether the last update saw a NaN, and whether it saw an infinity.
    pub(crate) fn non_finite(&self, backend: &B) -> Result<(bool, bool), WorkloadError> {
        let found = backend.read(&self.found, 0..2)?;
        Ok((found[0] != 0, found[1] != 0))
    }
}
