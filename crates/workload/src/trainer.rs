use candle_core::Device;
use rand::SeedableRng;
use rand::rngs::StdRng;
use vram_metrics::Phase;

use crate::batch::draw_starts;
use crate::optimizer::LossScale;
use crate::shape::Compute;
use crate::{Adam, Batch, Gradients, Model, Shape, WorkloadError};

/// Learning rate of the workload's Adam.
const LEARNING_RATE: f64 = 1e-3;

/// A model, its optimizer and one batch of inputs: what a probe steps.
#[derive(Debug)]
pub struct Trainer {
    model: Model,
    grads: Gradients,
    adam: Adam,
    scale: Option<LossScale>,
    batch: Batch,
    rng: StdRng,
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOutcome {
    /// Mean cross-entropy.
    pub loss: f32,
    /// Mean distance, in slots, that a pointer moved per token.
    pub move_penalty: f64,
    /// Whether the loss, or a gradient that no loss scale explains, is NaN.
    pub nan: bool,
    /// Whether the loss, or a gradient that no loss scale explains, is infinite.
    pub inf: bool,
    /// Whether the loss scale skipped the update (fp16 overflow).
    pub skipped: bool,
}

impl Trainer {
    /// Draws parameters and inputs from `seed`, and calls `mark` with [`Phase::Parameters`] and
    /// [`Phase::Optimizer`] once each of them is allocated.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if something does not fit, [`WorkloadError::Device`] for a
    /// device without an implementation.
    pub fn new(
        shape: Shape,
        seed: u64,
        device: &Device,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<Self, WorkloadError> {
        let mut rng = StdRng::seed_from_u64(seed);
        let batch = Batch::draw(&shape, &mut rng)?;
        let scale = (shape.compute == Compute::Fp16).then(LossScale::new);
        let model = Model::new(shape, &mut rng, device)?;
        mark(Phase::Parameters);
        let grads = Gradients::new(&model)?;
        let adam = Adam::new(&model, LEARNING_RATE)?;
        mark(Phase::Optimizer);
        Ok(Self { model, grads, adam, scale, batch, rng })
    }

    /// One training step: forward, backward, Adam. Calls `mark` with [`Phase::ForwardEnd`],
    /// [`Phase::BackwardPeak`] and [`Phase::StepEnd`].
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the tape or a workspace does not fit. The trainer can be
    /// stepped again.
    pub fn step(&mut self, mark: &mut dyn FnMut(Phase)) -> Result<StepOutcome, WorkloadError> {
        let starts = draw_starts(&self.model.shape, &mut self.rng);
        let forward = self.model.forward(&self.batch, &starts)?;
        mark(Phase::ForwardEnd);
        let (loss, move_penalty) = (forward.loss(), forward.move_penalty());
        let scale = self.scale.as_ref().map_or(1.0, LossScale::value);
        self.model.backward(&self.batch, forward, &mut self.grads, scale, mark)?;

        let (nan, inf) = self.grads.non_finite();
        let finite = !nan && !inf;
        if finite {
            self.adam.step(&mut self.model, &self.grads, scale.recip());
        }
        let scaled = self.scale.is_some();
        if let Some(scale) = &mut self.scale {
            scale.update(finite);
        }
        mark(Phase::StepEnd);
        Ok(StepOutcome {
            loss,
            move_penalty,
            nan: loss.is_nan() || (nan && !scaled),
            inf: loss.is_infinite() || (inf && !scaled),
            skipped: scaled && !finite,
        })
    }
}

#[cfg(test)]
mod tests {
    use vram_presets::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};

    use super::*;

    fn trainer(precision: Precision) -> Trainer {
        let ant = AntSpec { ring_len: 16, slot_dim: 24, ptr_dtype: PtrDtype::Fp64, precision };
        let colony = ColonySpec {
            batch_size: 3,
            ptr_update_every: 1,
            seq_len: 6,
            state_loop_samples: 0,
            synth_len: 6,
        };
        let amp = precision.default_amp();
        let shape = Shape::new(&WorkloadSpec::new(ant, colony), 1, amp).unwrap();
        Trainer::new(shape, 3, &Device::Cpu, &mut |_| ()).unwrap()
    }

    fn step(trainer: &mut Trainer) -> StepOutcome {
        trainer.step(&mut |_| ()).unwrap()
    }

    #[test]
    fn a_seed_gives_the_same_steps_and_they_learn() {
        for precision in [Precision::Fp32, Precision::Fp16, Precision::Bf16] {
            let (mut a, mut b) = (trainer(precision), trainer(precision));
            let first = step(&mut a);
            assert_eq!(first, step(&mut b));
            assert!(!first.nan && !first.inf && !first.skipped);
            let last = (0..20).map(|_| step(&mut a)).last().unwrap();
            assert!(last.loss < first.loss, "{precision}: {} -> {}", first.loss, last.loss);
        }
    }

    #[test]
    fn phases_come_in_order() {
        let mut phases = Vec::new();
        trainer(Precision::Fp32).step(&mut |p| phases.push(p)).unwrap();
        assert_eq!(phases, [Phase::ForwardEnd, Phase::BackwardPeak, Phase::StepEnd]);
    }

    #[test]
    fn a_nan_is_reported_and_not_learnt() {
        let mut trainer = trainer(Precision::Fp32);
        let at = trainer.model.layout.bridge.bias.start;
        trainer.model.weights[at] = f32::NAN;
        let before = trainer.model.weights.clone();
        assert!(step(&mut trainer).nan);
        let kept = trainer.model.weights.iter().zip(&before);
        assert!(kept.filter(|(_, b)| !b.is_nan()).all(|(a, b)| a == b));
    }

    /// A loss scale that overflows fp16 skips the update, halves itself, and is no NaN.
    #[test]
    fn an_overflow_of_the_loss_scale_skips_the_step() {
        let mut trainer = trainer(Precision::Fp16);
        let huge = f32::MAX / 4.0;
        trainer.scale = Some(LossScale::starting_at(huge));
        let before = trainer.model.weights.clone();
        let outcome = step(&mut trainer);
        assert!(outcome.skipped && !outcome.nan && !outcome.inf);
        assert_eq!(trainer.model.weights, before);
        assert_eq!(trainer.scale.as_ref().map(LossScale::value), Some(huge / 2.0));
    }
}
