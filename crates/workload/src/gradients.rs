use candle_core::Tensor;

use crate::model::named;
use crate::params::Layout;
use crate::{Model, WorkloadError, memory};

/// Gradients of all parameters, in the model's flat layout.
#[derive(Debug)]
pub struct Gradients {
    pub(crate) values: Vec<f32>,
    /// Per parameter: whether the last backward reached it. A parameter without a gradient is
    /// skipped by the optimizer, its moments and count unchanged.
    pub(crate) reached: Vec<bool>,
}

impl Gradients {
    /// A buffer for `model`'s gradients.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if it does not fit.
    pub fn new(model: &Model) -> Result<Self, WorkloadError> {
        Ok(Self {
            values: memory::zeroed("the gradients", model.weights.len())?,
            reached: vec![false; model.layout.entries.len()],
        })
    }

    /// The gradients by parameter name, as `f32` tensors on the CPU; parameters that backward did
    /// not reach are left out.
    ///
    /// # Errors
    ///
    /// If candle refuses a tensor.
    pub fn named(&self, model: &Model) -> Result<Vec<(String, Tensor)>, WorkloadError> {
        let all = named(&model.layout, &self.values)?;
        let reached = all.into_iter().zip(&self.reached);
        Ok(reached.filter(|(_, r)| **r).map(|(g, _)| g).collect())
    }

    /// Zeroes the values and notes which parameters this step's backward reaches: all but the
    /// unused input projection and the experts that no sample was routed to.
    pub(crate) fn start(&mut self, layout: &Layout, slots: &[usize]) {
        self.values.fill(0.0);
        let experts = &layout.readout;
        for (entry, reached) in layout.entries.iter().zip(&mut self.reached) {
            let expert =
                experts.iter().position(|e| e.weight == entry.range || e.bias == entry.range);
            *reached = match expert {
                Some(i) => slots.iter().any(|slot| slot % experts.len() == i),
                None => !entry.name.starts_with("input_proj."),
            };
        }
    }

    /// Whether any gradient is NaN, and whether any is infinite.
    pub(crate) fn non_finite(&self) -> (bool, bool) {
        let nan = self.values.iter().any(|g| g.is_nan());
        let inf = self.values.iter().any(|g| g.is_infinite());
        (nan, inf)
    }
}
