//! Parameters of a seed, the same on every device: candle's own draws differ between devices, and
//! on a card they are kernels that have to be compiled first.

use candle_core::{Device, Var};
use candle_nn::{Init, VarMap};
use rand::Rng;
use rand::distr::Uniform;
use rand_distr::{Distribution, Normal};

use crate::error::WorkloadError;
use crate::memory::host;
use crate::parameters;
use crate::shape::Shape;

/// Every parameter of a model of `shape`, drawn from `rng` as the model's description says, as
/// variables on `device`. `VarBuilder::from_varmap` of the result makes the model.
///
/// # Errors
///
/// [`WorkloadError::OutOfMemory`] if the parameters do not fit, [`WorkloadError::Candle`] if the
/// device fails.
pub fn draw_parameters(
    shape: &Shape,
    rng: &mut impl Rng,
    device: &Device,
) -> Result<VarMap, WorkloadError> {
    let map = VarMap::new();
    for parameter in parameters::list(shape) {
        let mut values = host::zeroed("weights", parameter.range.len())?;
        match parameter.init {
            Init::Const(value) => values.fill(value as f32),
            Init::Uniform { up, .. } => {
                fill(&mut values, Uniform::new(-up as f32, up as f32), rng);
            }
            Init::Randn { stdev, .. } => fill(&mut values, Normal::new(0.0, stdev as f32), rng),
            // The list of parameters has no other.
            Init::Kaiming { .. } => (),
        }
        let bytes = 4 * values.len() as u64;
        let var = Var::from_vec(values, parameter.dims.as_slice(), device)
            .map_err(|error| WorkloadError::of_allocation("weights", bytes, error))?;
        let mut vars = map.data().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        vars.insert(parameter.name, var);
    }
    Ok(map)
}

fn fill<D: Distribution<f32>, E>(values: &mut [f32], dist: Result<D, E>, rng: &mut impl Rng) {
    // The bounds are positive constants of the list, so the distribution always exists.
    if let Ok(dist) = dist {
        values.fill_with(|| dist.sample(rng));
    }
}
