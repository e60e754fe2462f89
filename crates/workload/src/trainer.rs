use rand::SeedableRng;
use rand::rngs::StdRng;
use vram_metrics::Phase;

use crate::backend::Stages;
use crate::batch::draw_starts;
use crate::forward::Results;
use crate::{Adam, Backend, Batch, Gradients, LossScale, Model, Shape, WorkloadError};

/// Learning rate of the workload's Adam.
const LEARNING_RATE: f64 = 1e-3;

/// A model, its optimizer and one batch of inputs: what a probe steps.
#[derive(Debug)]
pub struct Trainer<B: Backend> {
    pub(crate) model: Model<B>,
    grads: Gradients<B>,
    adam: Adam<B>,
    pub(crate) scale: LossScale<B>,
    pub(crate) batch: Batch<B>,
    rng: StdRng,
    /// What the last step's forward came to.
    results: Option<Results<B>>,
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

impl<B: Stages> Trainer<B> {
    /// Draws parameters and inputs from `seed`, and calls `mark` with [`Phase::Parameters`] and
    /// [`Phase::Optimizer`] once each of them is allocated.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if something does not fit, [`WorkloadError::Device`] if the
    /// device fails.
    pub fn new(
        shape: Shape,
        seed: u64,
        backend: &B,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<Self, WorkloadError> {
        let mut rng = StdRng::seed_from_u64(seed);
        let batch = Batch::draw(&shape, &mut rng, backend)?;
        let model = Model::new(shape, &mut rng, backend)?;
        mark(Phase::Parameters);
        let grads = Gradients::new(&model)?;
        let adam = Adam::new(&model, LEARNING_RATE)?;
        let scale = LossScale::new(&model)?;
        mark(Phase::Optimizer);
        Ok(Self { model, grads, adam, scale, batch, rng, results: None })
    }

    /// One training step: forward, backward, Adam. Calls `mark` with [`Phase::ForwardEnd`],
    /// [`Phase::BackwardPeak`] and [`Phase::StepEnd`]. On a GPU the step is enqueued, not over;
    /// [`Trainer::outcome`] waits for it.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the tape or a workspace does not fit: the trainer can be
    /// stepped again. [`WorkloadError::Device`] if the device fails.
    pub fn step(&mut self, mark: &mut dyn FnMut(Phase)) -> Result<(), WorkloadError> {
        // Freed first, so that every step begins with the same memory.
        self.results = None;
        let starts = draw_starts(&self.model.shape, &mut self.rng)?;
        let forward = self.model.forward(&self.batch, &starts)?;
        mark(Phase::ForwardEnd);
        let Self { model, batch, grads, scale, .. } = self;
        let results = model.backward_to_results(batch, forward, grads, scale, mark)?;
        self.results = Some(results);
        self.adam.step(&mut self.model, &mut self.grads, &mut self.scale)?;
        mark(Phase::StepEnd);
        Ok(())
    }

    /// What the last step came to; waits for it where work is asynchronous. None before the first
    /// step, and after one that failed.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Device`] if the device failed on the way.
    pub fn outcome(&self) -> Result<Option<StepOutcome>, WorkloadError> {
        let Some(results) = &self.results else { return Ok(None) };
        let backend = &self.model.backend;
        let (loss, move_penalty) = results.read(backend)?;
        let (nan, inf) = self.grads.non_finite(backend)?;
        let scaled = self.scale.dynamic;
        Ok(Some(StepOutcome {
            loss,
            move_penalty,
            nan: loss.is_nan() || (nan && !scaled),
            inf: loss.is_infinite() || (inf && !scaled),
            skipped: scaled && (nan || inf),
        }))
    }
}

#[cfg(test)]
mod tests {
    use vram_presets::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};

    use super::*;
    use crate::{Fault, Host};

    fn trainer(precision: Precision) -> Trainer<Host> {
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
        Trainer::new(shape, 3, &Host, &mut |_| ()).unwrap()
    }

    fn step(trainer: &mut Trainer<Host>) -> StepOutcome {
        trainer.step(&mut |_| ()).unwrap();
        trainer.outcome().unwrap().unwrap()
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
    fn what_is_not_finite_is_reported_and_a_nan_is_not_learnt() {
        for precision in [Precision::Fp32, Precision::Fp16, Precision::Bf16] {
            let mut trainer = trainer(precision);
            trainer.inject(Fault::Inf).unwrap();
            let infinite = step(&mut trainer);
            assert!(
                infinite.inf && !infinite.nan && !infinite.skipped,
                "{precision}: {infinite:?}"
            );

            trainer.inject(Fault::Nan).unwrap();
            let before = trainer.model.weights.clone();
            assert!(step(&mut trainer).nan, "{precision}");
            let kept = trainer.model.weights.iter().zip(&before);
            assert!(kept.filter(|(_, b)| !b.is_nan()).all(|(a, b)| a == b), "{precision}");
        }
    }

    /// A loss scale that overflows is halved and the step is left out, where there is one.
    #[test]
    fn an_overflow_is_skipped_by_the_loss_scale_alone() {
        let mut scaled = trainer(Precision::Fp16);
        scaled.inject(Fault::Overflow).unwrap();
        let (before, scale) = (scaled.model.weights.clone(), scaled.scale.state[0]);
        let outcome = step(&mut scaled);
        assert!(outcome.skipped && !outcome.nan && !outcome.inf);
        assert_eq!(scaled.model.weights, before);
        assert_eq!(scaled.scale.state[0], scale / 2.0);

        for precision in [Precision::Fp32, Precision::Bf16] {
            let mut bare = trainer(precision);
            bare.inject(Fault::Overflow).unwrap();
            let outcome = step(&mut bare);
            assert!(!outcome.skipped && (outcome.nan || outcome.inf) && outcome.loss.is_finite());
        }
    }
}
