//! The plain step: what candle's autograd makes of the forward in candle's operations.

use std::hint::black_box;

use candle_core::backprop::GradStore;
use candle_core::{D, DType, Tensor};
use candle_nn::loss::cross_entropy;
use vram_metrics::phase::Phase;

use super::batch::Batch;
use crate::error::WorkloadError;
use crate::memory::host;
use crate::model::od1::Od1;
use crate::model::plain::Output;
use crate::tensor_check::check;

/// Loss and gradients of one plain step.
#[derive(Debug)]
pub struct PlainGradients {
    /// Mean cross-entropy over the samples, without the loss scale: `[]`, fp32.
    pub loss: Tensor,
    /// What the forward gave, without its graph.
    pub output: Output,
    /// Of the model's parameters, fp32, the loss scale taken out again. A parameter that this step
    /// did not reach is absent.
    pub grads: GradStore,
    /// Whether some gradient is NaN, and whether some is infinite, each 0 or 1: `[2]`, u32.
    pub non_finite: Tensor,
}

/// Gradients of the mean cross-entropy of `batch`, with pointers that start at `starts` as
/// [`Od1::forward`] takes them. `scale`, `[]`, fp32, is what the loss is multiplied by before
/// backward, none is 1. Nothing is read back from the device but what the forward reads. Calls
/// `mark` with [`Phase::ForwardEnd`] and, with the graph and all gradients alive,
/// [`Phase::BackwardPeak`].
///
/// # Errors
///
/// [`WorkloadError::Tensor`] for a tensor of another shape, type or device than the model's,
/// [`WorkloadError::CandleOutOfMemory`] if a card has no room, [`WorkloadError::OutOfMemory`] if the
/// host has none for the tape, [`WorkloadError::Candle`] if the device fails.
pub fn gradients(
    model: &Od1,
    batch: &Batch,
    starts: &Tensor,
    scale: Option<&Tensor>,
    mark: &mut dyn FnMut(Phase),
) -> Result<PlainGradients, WorkloadError> {
    let (shape, device) = (model.shape(), model.device());
    batch.check(shape, device)?;
    check("starts", starts, &[shape.batch], DType::F64, device)?;
    if let Some(scale) = scale {
        check("scale", scale, &[], DType::F32, device)?;
    }
    if device.is_cpu() {
        // Out of memory, candle ends the process: what is certain not to fit is refused before. A
        // compiler may leave out an allocation that nobody looks at.
        drop(black_box(host::uninit("the ring tape", shape.synth_len * shape.state_len())?));
    }
    let stack = STACK_BYTES.saturating_mul(1 + shape.synth_len);
    stacker::maybe_grow(stack, stack, || differentiate(model, batch, starts, scale, mark))
        .map_err(WorkloadError::of_operation)
}

/// Stack for each token: candle walks and drops a graph by recursion, some hundred bytes deeper
/// with each of a token's operations.
const STACK_BYTES: usize = 8 << 10;

fn differentiate(
    model: &Od1,
    batch: &Batch,
    starts: &Tensor,
    scale: Option<&Tensor>,
    mark: &mut dyn FnMut(Phase),
) -> candle_core::Result<PlainGradients> {
    let output = model.forward(&batch.x, starts)?;
    let loss = cross_entropy(&output.logits, &batch.y)?;
    mark(Phase::ForwardEnd);
    let mut all = match scale {
        Some(scale) => (&loss * scale)?.backward()?,
        None => loss.backward()?,
    };
    mark(Phase::BackwardPeak);
    // What is detached lets go of the graph, and with it of the tape.
    let output = Output {
        logits: output.logits.detach(),
        move_penalty: output.move_penalty.detach(),
        ..output
    };
    let loss = loss.detach();

    // candle's store also holds gradients of constants, and each one's own graph.
    let mut found: Vec<(&Tensor, Tensor)> = Vec::new();
    for tensor in model.tensors() {
        if let Some(grad) = all.remove(tensor) {
            found.push((tensor, grad.detach()));
        }
    }
    drop(all);

    let mut grads = GradStore::default();
    let (mut nan, mut infinite) = (Vec::new(), Vec::new());
    let infinity = Tensor::full(f32::INFINITY, (), model.device())?;
    for (tensor, grad) in found {
        let grad = match scale {
            Some(scale) => grad.broadcast_div(scale)?,
            None => grad,
        };
        nan.push(any(grad.ne(&grad)?)?);
        infinite.push(any(grad.abs()?.broadcast_eq(&infinity)?)?);
        grads.insert(tensor, grad);
    }
    let either = [any(Tensor::stack(&nan, 0)?)?, any(Tensor::stack(&infinite, 0)?)?];
    let non_finite = Tensor::stack(&either, 0)?.to_dtype(DType::U32)?;
    Ok(PlainGradients { loss, output, grads, non_finite })
}

/// The largest of flags, one dimension after the other: a card takes rows at once.
fn any(mut flags: Tensor) -> candle_core::Result<Tensor> {
    while flags.rank() > 0 {
        flags = flags.max(D::Minus1)?;
    }
    Ok(flags)
}
