//! A model that is trained: parameters, inputs and optimizer of a seed, stepped one by one.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use rand::SeedableRng;
use rand::rngs::StdRng;
use vram_metrics::phase::Phase;
use vram_presets::step::StepKind;

use super::adam::Adam;
use super::batch::{Batch, Starts};
use super::fused::{FusedStep, StepResults};
use super::gradients::{GradientFlags, Gradients};
use super::loss_scale::LossScale;
use super::plain;
use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::names::{N, P};
use crate::memory::buffer::TensorRead;
use crate::memory::context::Context;
use crate::memory::log::AllocationGuard;
use crate::model::draw::draw_parameters;
use crate::model::od1::Od1;
use crate::model::plain::Output;
use crate::model::state_loop::{StateLoop, StateLoopReport};
use crate::ops::loss_scale::UpdateLossScale;
use crate::shape::Shape;

/// Learning rate of the workload's Adam.
const LEARNING_RATE: f64 = 1e-3;

/// A model, its optimizer and one batch of inputs: what a probe steps.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) context: Context,
    pub(crate) model: Od1,
    /// None where the step is plain.
    fused: Option<FusedStep>,
    adam: Adam,
    pub(crate) scale: LossScale,
    pub(crate) batch: Batch,
    rng: StdRng,
    /// What the last step came to.
    last: Option<Last>,
    _weights: [Option<AllocationGuard>; 2],
}

#[derive(Debug)]
struct Last {
    loss: Tensor,
    move_penalty: Tensor,
    gradients: Gradients,
    state_loop: Option<StateLoop>,
    /// Kept with the rest until the next step.
    _readout: (Tensor, Tensor),
    _live: Vec<Option<AllocationGuard>>,
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

/// Allocated by candle, one tensor a parameter.
const WEIGHTS: BufferSpec = BufferSpec::new(BufferKind::Weights, "weights", &[P]);
/// On the CPU the allocator sees what candle keeps of a tensor beside its values.
const TENSORS: BufferSpec = BufferSpec::new(BufferKind::Table, "tensors of parameters", &[N]);
/// Bytes of a parameter's `Var`, its name and its places in the maps and lists that hold it, as
/// measured.
const TENSOR_BYTES: usize = 480;

impl Trainer {
    /// Draws parameters and inputs from `seed` on `device`, and calls `mark` with
    /// [`Phase::Parameters`] and [`Phase::Optimizer`] once each of them is allocated.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if something does not fit, [`WorkloadError::Device`] if the
    /// device fails, and as [`FusedStep::new`].
    pub fn new(
        shape: Shape,
        kind: StepKind,
        seed: u64,
        device: &Device,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<Self, WorkloadError> {
        Self::in_context(shape, kind, seed, device, &Context::new(device)?, mark)
    }

    pub(crate) fn in_context(
        shape: Shape,
        kind: StepKind,
        seed: u64,
        device: &Device,
        context: &Context,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<Self, WorkloadError> {
        let mut rng = StdRng::seed_from_u64(seed);
        let batch = Batch::draw(&shape, &mut rng, context)?;
        let map = draw_parameters(&shape, &mut rng, device)?;
        let tensors = context.log_tensors(&TENSORS, TENSOR_BYTES);
        let weights = [context.log(&WEIGHTS, size_of::<f32>()), tensors];
        let model = Od1::new(shape, VarBuilder::from_varmap(&map, DType::F32, device))?;
        let mut fused = match kind {
            StepKind::Fused => Some(FusedStep::in_context(&model, context)?),
            StepKind::Plain => None,
        };
        mark(Phase::Parameters);
        if let Some(fused) = &mut fused {
            fused.reserve_gradients()?;
        }
        let adam = Adam::in_context(model.vars()?, LEARNING_RATE, context)?;
        let scale = LossScale::in_context(model.shape(), device, context)?;
        mark(Phase::Optimizer);
        let context = context.clone();
        Ok(Self { context, model, fused, adam, scale, batch, rng, last: None, _weights: weights })
    }

    /// The model that is trained.
    pub fn model(&self) -> &Od1 {
        &self.model
    }

    /// One training step: forward, backward, Adam. Calls `mark` with [`Phase::ForwardEnd`],
    /// [`Phase::BackwardPeak`] and [`Phase::StepEnd`]. On a card the step is enqueued, not over;
    /// [`Trainer::outcome`] waits for it.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the tape or a workspace does not fit: the trainer can be
    /// stepped again. [`WorkloadError::Device`] if the device fails.
    pub fn step(&mut self, mark: &mut dyn FnMut(Phase)) -> Result<(), WorkloadError> {
        // Freed first, so that every step begins with the same memory.
        self.last = None;
        // Before anything else is asked for: they fit where the last ones lay.
        if let Some(fused) = &mut self.fused {
            fused.reserve_gradients()?;
        }
        let starts = Starts::draw(self.model.shape(), &mut self.rng, &self.context)?;
        let last = match &mut self.fused {
            Some(fused) => {
                let forward = fused.forward(&self.batch, &starts.units)?;
                drop(starts);
                mark(Phase::ForwardEnd);
                Last::from(fused.backward(&self.batch, forward, &mut self.scale, mark)?)
            }
            None => self.plain(&starts.units, mark)?,
        };
        self.adam.step_where(&last.gradients.store, Some(&last.gradients.flags))?;
        self.last = Some(last);
        mark(Phase::StepEnd);
        Ok(())
    }

    fn plain(&self, starts: &Tensor, mark: &mut dyn FnMut(Phase)) -> Result<Last, WorkloadError> {
        let scale = self.scale.tensor()?;
        let step = plain::gradients(&self.model, &self.batch, starts, scale.as_ref(), mark)?;
        if self.scale.dynamic {
            let found = TensorRead::new("non_finite", &step.non_finite)?;
            let state = &self.scale.state;
            self.context.run(UpdateLossScale { found: found.view()?, state })?;
        }
        let flags = GradientFlags { non_finite: step.non_finite, reached: None };
        let Output { logits, move_penalty, ptr_int, state_loop } = step.output;
        Ok(Last {
            loss: step.loss,
            move_penalty,
            gradients: Gradients { store: step.grads, flags, _live: [None, None, None, None] },
            state_loop,
            _readout: (logits, ptr_int),
            _live: Vec::new(),
        })
    }

    /// What the watched samples did in the last step, where the shape watches any; waits for it.
    ///
    /// # Errors
    ///
    /// If the device failed on the way.
    pub fn state_loop(&self) -> Result<Option<StateLoopReport>, WorkloadError> {
        let watched = self.last.as_ref().and_then(|last| last.state_loop.as_ref());
        Ok(watched.map(StateLoop::report).transpose()?)
    }

    /// What the last step came to; waits for it where work is asynchronous. None before the first
    /// step, and after one that failed.
    ///
    /// # Errors
    ///
    /// If the device failed on the way.
    pub fn outcome(&self) -> Result<Option<StepOutcome>, WorkloadError> {
        let Some(last) = &self.last else { return Ok(None) };
        let loss = last.loss.to_scalar::<f32>()?;
        let found = last.gradients.flags.non_finite.to_vec1::<u32>()?;
        let (nan, inf) = (found[0] != 0, found[1] != 0);
        let scaled = self.scale.dynamic;
        Ok(Some(StepOutcome {
            loss,
            move_penalty: last.move_penalty.to_scalar::<f64>()?,
            nan: loss.is_nan() || (nan && !scaled),
            inf: loss.is_infinite() || (inf && !scaled),
            skipped: scaled && (nan || inf),
        }))
    }
}

impl From<StepResults> for Last {
    fn from(results: StepResults) -> Self {
        Self {
            loss: results.loss,
            move_penalty: results.move_penalty,
            gradients: results.gradients,
            state_loop: results.state_loop,
            _readout: (results.logits, results.ptr_int),
            _live: results._live,
        }
    }
}

#[cfg(test)]
mod tests {
    use vram_presets::spec::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};

    use super::*;
    use crate::step::fault::Fault;

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
        Trainer::new(shape, StepKind::Fused, 3, &Device::Cpu, &mut |_| ()).unwrap()
    }

    fn weights(trainer: &Trainer) -> Vec<f32> {
        let tensors = trainer.model.named();
        tensors.flat_map(|(_, t)| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
    }

    fn step(trainer: &mut Trainer) -> StepOutcome {
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
            let before = weights(&trainer);
            assert!(step(&mut trainer).nan, "{precision}");
            let (kept, before) = (weights(&trainer), before.iter());
            let kept = kept.iter().zip(before);
            assert!(kept.filter(|(_, b)| !b.is_nan()).all(|(a, b)| a == b), "{precision}");
        }
    }

    /// A loss scale that overflows is halved and the step is left out, where there is one.
    #[test]
    fn an_overflow_is_skipped_by_the_loss_scale_alone() {
        let mut scaled = trainer(Precision::Fp16);
        scaled.inject(Fault::Overflow).unwrap();
        let (before, scale) = (weights(&scaled), scaled.scale.value().unwrap());
        let outcome = step(&mut scaled);
        assert!(outcome.skipped && !outcome.nan && !outcome.inf);
        assert_eq!(weights(&scaled), before);
        assert_eq!(scaled.scale.value().unwrap(), scale / 2.0);

        for precision in [Precision::Fp32, Precision::Bf16] {
            let mut bare = trainer(precision);
            bare.inject(Fault::Overflow).unwrap();
            let outcome = step(&mut bare);
            assert!(!outcome.skipped && (outcome.nan || outcome.inf) && outcome.loss.is_finite());
        }
    }
}
