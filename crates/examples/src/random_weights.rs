//! Weights of a model that is not trained.

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};

/// Draws each weight as its layer would start it for training, and hands it out as a plain tensor.
///
/// Weights of a `VarMap` are variables: candle would remember how a key-value cache came about, and
/// so keep every earlier cache alive.
struct RandomWeights;

/// A builder of models with random weights that are not variables.
pub fn random_weights(dtype: DType, device: &Device) -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(RandomWeights), dtype, device.clone())
}

impl SimpleBackend for RandomWeights {
    fn get(&self, s: Shape, _: &str, init: Init, dtype: DType, on: &Device) -> Result<Tensor> {
        Ok(init.var(s, dtype, on)?.as_detached_tensor())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("a random weight needs a shape, which `{name}` was asked for without")
    }

    /// None has a name of its own before it is drawn.
    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_drawn_and_is_no_variable() {
        let weights = random_weights(DType::F32, &Device::Cpu);
        let layer = candle_nn::linear(3, 2, weights.pp("layer")).unwrap();
        assert!(!layer.weight().is_variable());
        assert_eq!(layer.weight().dims(), [2, 3]);
        assert!(layer.weight().sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() > 0.0);
    }
}
