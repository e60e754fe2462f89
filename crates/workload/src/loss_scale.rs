use crate::backend::Stages;
use crate::item::{Class, Item, dims};
use crate::{Backend, Compute, Model, WorkloadError};

/// What the loss is multiplied with before backward, so that small gradients survive fp16.
///
/// The dynamic scale starts at 65536, halves when a gradient is not finite, and doubles after 2000
/// good steps in a row (Micikevicius et al. 2018). It lives on the device: a step neither waits
/// for it nor brings it back.
#[derive(Debug)]
pub struct LossScale<B: Backend> {
    /// The scale, and the number of good steps in a row.
    pub(crate) state: B::Buf<f32>,
    pub(crate) dynamic: bool,
}

/// Good steps in a row after which the scale doubles.
pub(crate) const GROWTH_INTERVAL: u32 = 2000;

const STATE: Item = Item::new(Class::Optimizer, "loss scale", &[dims::TWO]);

impl<B: Stages> LossScale<B> {
    /// The scale of `model`'s mode: dynamic in fp16, none otherwise.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if eight bytes do not fit.
    pub fn new(model: &Model<B>) -> Result<Self, WorkloadError> {
        let dynamic = model.shape.compute == Compute::Fp16;
        Self::starting_at(model, if dynamic { 65536.0 } else { 1.0 }, dynamic)
    }

    pub(crate) fn starting_at(
        model: &Model<B>,
        scale: f32,
        dynamic: bool,
    ) -> Result<Self, WorkloadError> {
        let state = model.backend.upload(&STATE, &model.shape, || Ok(vec![scale, 0.0]))?;
        Ok(Self { state, dynamic })
    }
}

/// The state after a step whose gradients were finite or not.
pub(crate) fn next([scale, good]: [f32; 2], finite: bool) -> [f32; 2] {
    if !finite {
        return [scale / 2.0, 0.0];
    }
    if good + 1.0 == GROWTH_INTERVAL as f32 { [scale * 2.0, 0.0] } else { [scale, good + 1.0] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_halves_on_overflow_and_doubles_after_2000_good_steps() {
        let mut state = next([65536.0, 7.0], false);
        assert_eq!(state, [32768.0, 0.0]);
        for good in 1..2000 {
            state = next(state, true);
            assert_eq!(state, [32768.0, good as f32]);
        }
        assert_eq!(next(state, true), [65536.0, 0.0]);
    }
}
