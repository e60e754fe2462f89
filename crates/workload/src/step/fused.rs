//! The fused step: forward and the hand-written backward of one model.

use candle_core::Tensor;
use vram_metrics::phase::Phase;

use super::batch::Batch;
use super::gradients::{FlatGradients, Gradients};
use super::loss_scale::LossScale;
use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::device_kind::DeviceKind;
use crate::error::WorkloadError;
use crate::extent::Extent;
use crate::extent::names::{D, E, N, P, THREE, TWO};
use crate::memory::buffer::{Buffer, TensorRead};
use crate::memory::context::Context;
use crate::memory::log::AllocationGuard;
use crate::model::mode_directions::{self, MODES};
use crate::model::od1::Od1;
use crate::model::state_loop::StateLoop;
use crate::ops::cast::{CastTo, CastWeights};
use crate::ops::readout::HeadWeights;
use crate::ops::weights::{Rounded, Weight, Weights};
use crate::shape::Compute;

/// The fused step of a model: hand-written forward and backward, on the model's device and in its
/// stream. Holds what a step needs besides: the weights in half precision and, on a card, tables of
/// addresses.
#[derive(Debug)]
pub struct FusedStep {
    pub(crate) model: Od1,
    pub(crate) context: Context,
    pub(crate) rounded: Rounded,
    /// On a card in half precision: where the weights lie.
    places: Option<Buffer<u64>>,
    /// On a card: where the readout heads lie, in the numbers of the products.
    readout: Option<Buffer<u64>>,
    /// Where samples are watched: the directions of the state loop's modes, `[D,8]`.
    pub(crate) directions: Option<Buffer<f32>>,
    /// Gradients that the next step writes.
    reserved: Option<FlatGradients>,
}

/// What a step came to, on its device.
#[derive(Debug)]
pub struct StepResults {
    /// Mean cross-entropy of the last token's logits, `[]` in f32.
    pub loss: Tensor,
    /// Mean distance, in slots, that a pointer moved per token, `[]` in f64. Not part of the loss.
    pub move_penalty: Tensor,
    /// The last token's logits, `[B,C]` in f32.
    pub logits: Tensor,
    /// The slot each sample's pointer ends on, `[B]` in u32.
    pub ptr_int: Tensor,
    /// What the watched samples did, where the shape watches any.
    pub state_loop: Option<StateLoop>,
    /// Gradients of all parameters.
    pub gradients: Gradients,
    pub(crate) _live: Vec<Option<AllocationGuard>>,
}

const HALF: BufferSpec =
    BufferSpec::new(BufferKind::HalfWeights, "weights in half precision", &[P]);
const PLACES: BufferSpec = BufferSpec::new(BufferKind::Table, "places of parameters", &[THREE, N]);
const READOUT: BufferSpec =
    BufferSpec::new(BufferKind::Table, "places of readout heads", &[TWO, E]);

const DIRECTIONS: BufferSpec = BufferSpec::new(
    BufferKind::Table,
    "directions of the state loop",
    &[D, Extent::Times(MODES as u64)],
);

impl FusedStep {
    /// The step of `model` on its device.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::NoKernels`] and [`WorkloadError::Kernels`] for a device that it does not
    /// run on, [`WorkloadError::PerThreadStream`] for a card that was not opened with a stream of
    /// its own, [`WorkloadError::OutOfMemory`] if the half-precision weights do not fit.
    pub fn new(model: &Od1) -> Result<Self, WorkloadError> {
        Self::in_context(model, &Context::new(model.device())?)
    }

    pub(crate) fn in_context(model: &Od1, context: &Context) -> Result<Self, WorkloadError> {
        let (shape, kind) = (model.shape(), context.kind());
        let rounded = match (shape.compute, kind) {
            (Compute::Fp32, _) => Rounded::None,
            (_, DeviceKind::Cpu) => Rounded::Host(context.zeros(&HALF, shape)?),
            (_, DeviceKind::Cuda) => Rounded::Card(context.zeros(&HALF, shape)?),
        };
        let places = match rounded {
            Rounded::Card(_) => Some(context.upload(&PLACES, shape, || places(model))?),
            Rounded::None | Rounded::Host(_) => None,
        };
        let readout = match kind {
            DeviceKind::Cpu => None,
            DeviceKind::Cuda => Some(context.upload(&READOUT, shape, || {
                let weights = Weights::lock(model, &rounded)?;
                Ok(weights.readout()?.into_iter().map(Weight::address).collect())
            })?),
        };
        let draw = || Ok(mode_directions::draw(shape.slot_dim));
        let directions = match shape.watched() {
            0 => None,
            _ => Some(context.upload(&DIRECTIONS, shape, draw)?),
        };
        let (model, context) = (model.clone(), context.clone());
        Ok(Self { model, context, rounded, places, readout, directions, reserved: None })
    }

    /// The model that is stepped.
    pub fn model(&self) -> &Od1 {
        &self.model
    }

    /// Allocates the gradients of the next step, so that what does not fit fails before it runs.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`].
    pub fn reserve_gradients(&mut self) -> Result<(), WorkloadError> {
        if self.reserved.is_none() {
            self.reserved = Some(FlatGradients::new(&self.context, &self.model)?);
        }
        Ok(())
    }

    pub(crate) fn take_gradients(&mut self) -> Result<FlatGradients, WorkloadError> {
        match self.reserved.take() {
            Some(gradients) => Ok(gradients),
            None => FlatGradients::new(&self.context, &self.model),
        }
    }

    /// Forward and backward of `batch`; sample b's pointer starts at `starts[b] * (R - 1)`, `[B]` in
    /// f64, `[0,1)`. Calls `mark` with [`Phase::ForwardEnd`] and, while everything it holds is
    /// alive, [`Phase::BackwardPeak`]. On a card the work is enqueued, not over.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the tape or a workspace does not fit: the step can be tried
    /// again. [`WorkloadError::Tensor`] for inputs of another shape, type or device than the
    /// model's, [`WorkloadError::Device`] if the device fails.
    pub fn run(
        &mut self,
        batch: &Batch,
        starts: &Tensor,
        scale: &mut LossScale,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<StepResults, WorkloadError> {
        let forward = self.forward(batch, starts)?;
        mark(Phase::ForwardEnd);
        self.backward(batch, forward, scale, mark)
    }

    /// The weights in the mode's numbers.
    pub(crate) fn cast_weights(&mut self) -> Result<(), WorkloadError> {
        let to = match (&mut self.rounded, &self.places) {
            (Rounded::Host(buffer), _) => CastTo::Host(buffer.view_mut()),
            (Rounded::Card(buffer), Some(places)) => CastTo::Card(buffer.view_mut(), places.view()),
            _ => return Ok(()),
        };
        let weights: Result<Vec<TensorRead>, _> =
            self.model.named().map(|(name, tensor)| TensorRead::new(name, tensor)).collect();
        let shape = self.model.shape();
        let elements = P.of(shape) as usize;
        let compute = shape.compute;
        self.context.run(CastWeights { weights: &weights?, to, elements, compute })
    }

    pub(crate) fn weights(&self) -> Result<Weights<'_>, WorkloadError> {
        Weights::lock(&self.model, &self.rounded)
    }

    pub(crate) fn head_weights<'a>(&'a self, heads: &'a [Weight<'a>]) -> HeadWeights<'a> {
        HeadWeights { heads, table: self.readout.as_ref().map(Buffer::view) }
    }
}

/// Address and end of every weight, as places.cuh has them.
fn places(model: &Od1) -> Result<Vec<u64>, WorkloadError> {
    let mut table = Vec::new();
    for ((name, tensor), parameter) in model.named().zip(model.parameters().iter()) {
        let address = TensorRead::new(name, tensor)?.view::<f32>()?.address();
        table.extend([address, parameter.range.end as u64, 0]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::model::draw::draw_parameters;
    use crate::shape::Shape;
    use crate::shape::tests::shape_of;

    /// With no hidden state at all, every score is the same number, and of equals it is the first in
    /// both steps.
    fn of_equal_scores_the_first(device: &Device) {
        let shape = Shape { state_loop_samples: 2, ..shape_of(9, 24, 1) };
        let vars = draw_parameters(&shape, &mut StdRng::seed_from_u64(0), device).unwrap();
        for (name, var) in vars.data().lock().unwrap().iter() {
            if name.starts_with("gru.") {
                var.set(&var.zeros_like().unwrap()).unwrap();
            }
        }
        let vb = VarBuilder::from_varmap(&vars, DType::F32, device);
        let model = Od1::new(shape.clone(), vb).unwrap();
        let x = Tensor::zeros((shape.batch, shape.synth_len, 1), DType::F32, device).unwrap();
        let y = Tensor::zeros(shape.batch, DType::U32, device).unwrap();
        let starts = Tensor::zeros(shape.batch, DType::F64, device).unwrap();
        let batch = Batch::new(&shape, &x, &y).unwrap();

        let plain = model.forward(&x, &starts).unwrap().state_loop;
        let mut step = FusedStep::new(&model).unwrap();
        let fused = step.forward(&batch, &starts).unwrap().results.state_loop;
        let t = shape.synth_len as u32;
        for watched in [plain, fused] {
            let row = vec![0, 0, t, t, t, 0, 0, 0, 0, 0, 0, 0];
            assert_eq!(watched.unwrap().counts.to_vec2::<u32>().unwrap(), [row.clone(), row]);
        }
    }

    #[test]
    fn of_equal_scores_the_first_on_the_cpu() {
        of_equal_scores_the_first(&Device::Cpu);
    }

    #[cfg(feature = "cuda")]
    #[test]
    #[ignore = "compares values: needs a real card"]
    fn of_equal_scores_the_first_on_a_card() {
        of_equal_scores_the_first(&Device::new_cuda_with_stream(0).unwrap());
    }
}
