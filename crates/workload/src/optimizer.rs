use crate::kernels::adam;
use crate::{Gradients, Model, WorkloadError, memory};

/// Adam with one step count per parameter: a parameter that got no gradient in a step keeps its
/// moments and its count.
#[derive(Debug)]
pub struct Adam {
    lr: f64,
    first: Vec<f32>,
    second: Vec<f32>,
    counts: Vec<i32>,
}

impl Adam {
    /// Zeroed moments for `model`; `lr` is the learning rate.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if they do not fit.
    pub fn new(model: &Model, lr: f64) -> Result<Self, WorkloadError> {
        let len = model.weights.len();
        Ok(Self {
            lr,
            first: memory::zeroed("the optimizer's moments", len)?,
            second: memory::zeroed("the optimizer's moments", len)?,
            counts: vec![0; model.layout.entries.len()],
        })
    }

    /// Updates every parameter that backward reached; `unscale` undoes the loss scale.
    pub fn step(&mut self, model: &mut Model, grads: &Gradients, unscale: f32) {
        let entries = model.layout.entries.iter().zip(&grads.reached);
        for ((entry, reached), count) in entries.zip(&mut self.counts) {
            if !reached {
                continue;
            }
            *count += 1;
            let at = entry.range.clone();
            adam::update(
                (
                    &mut model.weights[at.clone()],
                    &mut self.first[at.clone()],
                    &mut self.second[at.clone()],
                ),
                &grads.values[at],
                (self.lr, *count, unscale),
            );
        }
    }
}

/// Dynamic loss scale of fp16: starts at 65536, halves when a gradient is not finite, doubles
/// after 2000 good steps in a row (Micikevicius et al. 2018).
#[derive(Debug)]
pub(crate) struct LossScale {
    scale: f32,
    good_steps: u32,
}

const GROWTH_INTERVAL: u32 = 2000;

impl LossScale {
    pub(crate) fn new() -> Self {
        Self::starting_at(65536.0)
    }

    pub(crate) fn starting_at(scale: f32) -> Self {
        Self { scale, good_steps: 0 }
    }

    pub(crate) fn value(&self) -> f32 {
        self.scale
    }

    pub(crate) fn update(&mut self, finite: bool) {
        if !finite {
            self.scale /= 2.0;
            self.good_steps = 0;
            return;
        }
        self.good_steps += 1;
        if self.good_steps == GROWTH_INTERVAL {
            self.scale *= 2.0;
            self.good_steps = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_halves_on_overflow_and_doubles_after_2000_good_steps() {
        let mut scale = LossScale::new();
        scale.update(false);
        assert_eq!(scale.value(), 32768.0);
        for _ in 0..1999 {
            scale.update(true);
        }
        assert_eq!(scale.value(), 32768.0);
        scale.update(true);
        assert_eq!(scale.value(), 65536.0);
    }

    #[test]
    fn an_overflow_restarts_the_count_of_good_steps() {
        let mut scale = LossScale::new();
        (0..1999).for_each(|_| scale.update(true));
        scale.update(false);
        (0..1999).for_each(|_| scale.update(true));
        assert_eq!(scale.value(), 32768.0);
    }
}
