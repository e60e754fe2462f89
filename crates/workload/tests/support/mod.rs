//! Models, inputs and steps of the tests, the same on every device and for both steps.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod fixture;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vram_presets::spec::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_workload::model::draw::draw_parameters;
use vram_workload::model::od1::Od1;
use vram_workload::model::plain::Output;
use vram_workload::model::state_loop::StateLoop;
use vram_workload::shape::Shape;
use vram_workload::step::batch::Batch;
use vram_workload::step::fused::FusedStep;
use vram_workload::step::gradients::GradientFlags;
use vram_workload::step::loss_scale::LossScale;
use vram_workload::step::plain::gradients as plain_gradients;

pub const PRECISIONS: [Precision; 3] = [Precision::Fp32, Precision::Fp16, Precision::Bf16];

/// Every size that a test chooses.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub batch: usize,
    pub tokens: usize,
    pub ring: usize,
    pub width: usize,
    pub heads: usize,
    pub update_every: usize,
    pub watched: usize,
    pub precision: Precision,
    pub pointer: PtrDtype,
    pub tape: TapeKind,
    /// Of weights and inputs.
    pub seed: u64,
}

pub const SMALL: Case = Case {
    batch: 3,
    tokens: 7,
    ring: 12,
    width: 9,
    heads: 1,
    update_every: 1,
    watched: 0,
    precision: Precision::Fp32,
    pointer: PtrDtype::Fp64,
    tape: TapeKind::Full,
    seed: 7,
};

impl Case {
    pub fn spec(&self) -> WorkloadSpec {
        let ant = AntSpec {
            ring_len: self.ring as u64,
            slot_dim: self.width as u64,
            ptr_dtype: self.pointer,
            precision: self.precision,
        };
        let colony = ColonySpec {
            seq_len: self.tokens as u64,
            synth_len: self.tokens as u64,
            batch_size: self.batch as u64,
            ptr_update_every: self.update_every as u64,
            state_loop_samples: self.watched as u64,
        };
        WorkloadSpec::new(ant, colony)
    }

    pub fn shape(&self) -> Shape {
        let amp = self.precision != Precision::Fp32;
        Shape::new(&self.spec(), self.heads as u64, amp).unwrap().with_tape(self.tape)
    }

    /// Always the same weights for the same sizes and seed.
    pub fn weights(&self, device: &Device) -> VarMap {
        draw_parameters(&self.shape(), &mut StdRng::seed_from_u64(self.seed), device).unwrap()
    }

    pub fn model(&self, device: &Device) -> Od1 {
        self.model_of(&self.weights(device), device)
    }

    pub fn model_of(&self, weights: &VarMap, device: &Device) -> Od1 {
        Od1::new(self.shape(), VarBuilder::from_varmap(weights, DType::F32, device)).unwrap()
    }

    /// Always the same inputs for the same sizes and seed.
    pub fn inputs(&self, device: &Device) -> Inputs {
        let mut rng = StdRng::seed_from_u64(self.seed + 4);
        let (b, t) = (self.batch, self.tokens);
        let x: Vec<f32> = (0..b * t).map(|_| rng.random_range(-1.5..1.5)).collect();
        let y: Vec<u32> = (0..b).map(|_| rng.random_range(0..256)).collect();
        let starts: Vec<f64> = (0..b).map(|_| rng.random()).collect();
        Inputs {
            x: Tensor::from_vec(x, (b, t, 1), device).unwrap(),
            y: Tensor::from_vec(y, b, device).unwrap(),
            starts: Tensor::from_vec(starts, b, device).unwrap(),
        }
    }
}

/// `x [B,T,1]`, `y [B]`, `starts [B]`.
pub struct Inputs {
    pub x: Tensor,
    pub y: Tensor,
    pub starts: Tensor,
}

impl Inputs {
    pub fn batch(&self, model: &Od1) -> Batch {
        Batch::new(model.shape(), &self.x, &self.y).unwrap()
    }
}

/// The tapes that a step of this kind can have.
pub fn tapes(kind: StepKind) -> &'static [TapeKind] {
    match kind {
        StepKind::Fused => TapeKind::ALL,
        StepKind::Plain => &[TapeKind::Full],
    }
}

/// One of the two steps of a model, with a loss scale as the fused step has it.
pub enum Step {
    Fused(Box<(FusedStep, LossScale)>),
    Plain(Od1, Option<Tensor>),
}

/// What either step gives.
pub struct Taken {
    pub loss: Tensor,
    pub logits: Tensor,
    pub move_penalty: Tensor,
    pub ptr_int: Tensor,
    pub state_loop: Option<StateLoop>,
    pub grads: GradStore,
    pub flags: GradientFlags,
}

impl Step {
    pub fn new(kind: StepKind, model: &Od1) -> Self {
        let scale = LossScale::new(model.shape(), model.device()).unwrap();
        match kind {
            StepKind::Fused => Self::Fused(Box::new((FusedStep::new(model).unwrap(), scale))),
            StepKind::Plain => {
                let value = scale.value().unwrap();
                let tensor = || Tensor::new(value, model.device()).unwrap();
                Self::Plain(model.clone(), (value != 1.0).then(tensor))
            }
        }
    }

    pub fn take(&mut self, batch: &Batch, starts: &Tensor) -> Taken {
        match self {
            Self::Fused(fused) => {
                let (step, scale) = &mut **fused;
                let got = step.run(batch, starts, scale, &mut |_| ()).unwrap();
                Taken {
                    loss: got.loss,
                    logits: got.logits,
                    move_penalty: got.move_penalty,
                    ptr_int: got.ptr_int,
                    state_loop: got.state_loop,
                    grads: got.gradients.store,
                    flags: got.gradients.flags,
                }
            }
            Self::Plain(model, scale) => {
                let scale = scale.as_ref();
                let got = plain_gradients(model, batch, starts, scale, &mut |_| ()).unwrap();
                let Output { logits, move_penalty, ptr_int, state_loop } = got.output;
                let flags = GradientFlags { non_finite: got.non_finite, reached: None };
                let (loss, grads) = (got.loss, got.grads);
                Taken { loss, logits, move_penalty, ptr_int, state_loop, grads, flags }
            }
        }
    }
}

/// One step of `kind` from a model's weights.
pub fn take(kind: StepKind, model: &Od1, inputs: &Inputs) -> Taken {
    Step::new(kind, model).take(&inputs.batch(model), &inputs.starts)
}

impl Taken {
    /// Everything that a step gives but its telemetry, to the bit.
    pub fn bits(&self, model: &Od1) -> Vec<Option<Vec<u64>>> {
        let results = [&self.loss, &self.logits, &self.move_penalty, &self.ptr_int];
        let results = results.into_iter().map(|t| Some(bits(t)));
        results.chain(model.named().map(|(_, t)| self.grads.get(t).map(bits))).collect()
    }

    /// A gradient by its parameter's name; none where the store has none.
    pub fn gradient(&self, model: &Od1, name: &str) -> Option<Vec<f64>> {
        gradient_of(model, &self.grads, name)
    }
}

/// A gradient by its parameter's name; none where the store has none.
pub fn gradient_of(model: &Od1, grads: &GradStore, name: &str) -> Option<Vec<f64>> {
    let (_, tensor) = model.named().find(|(n, _)| *n == name).unwrap();
    grads.get(tensor).map(values)
}

/// Every parameter to the bit, in order.
pub fn weight_bits(model: &Od1) -> Vec<Vec<u64>> {
    model.named().map(|(_, t)| bits(t)).collect()
}

pub fn values(t: &Tensor) -> Vec<f64> {
    let t = t.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// The numbers as they are, to the bit.
pub fn bits(t: &Tensor) -> Vec<u64> {
    values(t).into_iter().map(f64::to_bits).collect()
}

/// Largest absolute difference, and the largest absolute entry of `want`.
pub fn distance(got: &[f64], want: &[f64]) -> (f64, f64) {
    assert_eq!(got.len(), want.len());
    let worst = got.iter().zip(want).map(|(g, w)| (g - w).abs());
    let worst = worst.fold(0.0, |a: f64, b| if b.is_nan() { f64::NAN } else { a.max(b) });
    (worst, want.iter().fold(0.0, |a: f64, w| a.max(w.abs())))
}
