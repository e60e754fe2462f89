//! The backward stages on a card.

use cudarc::driver::DeviceRepr;

use super::device::{launch, mode};
use super::{Cuda, Epilogue, Mat};
use crate::activations::Activations;
use crate::backward::Workspace;
use crate::params::Gru;
use crate::shape::CLASSES;
use crate::{Batch, Forward, Gradients, LossScale, Model, WorkloadError};

type Done = Result<(), WorkloadError>;

/// `TurnBack` of turn.cu.
#[repr(C)]
struct TurnBack {
    d_hidden: u64,
    d_x: u64,
    gates: u64,
    d_before: u64,
    d_ring: u64,
    d_taps: u64,
    d_gain: u64,
    d_pointer: u64,
    d_target: u64,
}
// SAFETY: plain numbers in C's layout.
unsafe impl DeviceRepr for TurnBack {}

pub(super) fn leave(
    model: &Model<Cuda>,
    batch: &Batch<Cuda>,
    forward: &mut Forward<Cuda>,
    grads: &mut Gradients<Cuda>,
    scale: &LossScale<Cuda>,
    work: &mut Workspace<Cuda>,
) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let kernels = &cuda.0.kernels;
    let (b, d, experts) = (shape.batch as i32, shape.slot_dim as i32, shape.out_dim as i32);
    let readout = model.layout.readout[0].weight.start;
    let (slots, logits) = (cuda.at(&forward.slots, 0), cuda.at(&forward.logits, 0));
    let len = grads.values.len();
    cuda.fill_zero(&mut grads.values, 0..len)?;
    // SAFETY: the readout's buffers of this step, one row or element a sample.
    unsafe {
        launch!(cuda, &kernels.reach, (1, 1), 256;
            slots, cuda.at(&grads.reached, 0), b, experts)?;
        launch!(cuda, kernels.readout_backward(shape.compute), (shape.batch, 1), CLASSES;
            logits, model.product_weight(readout), slots, cuda.at(&batch.labels, 0),
            cuda.at(&scale.state, 0), cuda.at(&work.d_hidden, 0), cuda.at(&work.d_ring, 0),
            experts, b, shape.ring_len as i32, d, mode(shape.compute))?;
        launch!(cuda, &kernels.readout_weights, (CLASSES, 1), 256;
            logits, cuda.at(&forward.features, 0), slots, cuda.at(&grads.values, readout),
            experts, b, d)
    }
}

pub(super) fn turn_back(
    model: &Model<Cuda>,
    forward: &mut Forward<Cuda>,
    work: &mut Workspace<Cuda>,
    from: Option<usize>,
) -> Done {
    let cuda = &model.backend;
    let gradients = TurnBack {
        d_hidden: cuda.at(&work.d_hidden, 0),
        d_x: cuda.at(&work.d_x, 0),
        gates: cuda.at(&forward.acts.gates, 0),
        d_before: cuda.at(&work.d_before, 0),
        d_ring: cuda.at(&work.d_ring, 0),
        d_taps: cuda.at(&work.d_taps, 0),
        d_gain: cuda.at(&work.d_gain, 0),
        d_pointer: cuda.at(&work.d_pointer, 0),
        d_target: cuda.at(&work.d_target, 0),
    };
    let function = cuda.0.kernels.turn_back(model.shape.pointer);
    // SAFETY: the buffers of this step, sized as the kernel's arguments say.
    unsafe {
        launch!(cuda, function, (model.shape.batch, 1), model.row_threads();
            model.turn_arguments(forward, from), gradients)
    }
}

pub(super) fn cell_back(
    model: &Model<Cuda>,
    forward: &mut Forward<Cuda>,
    work: &mut Workspace<Cuda>,
    t: usize,
) -> Done {
    let (b, d) = (model.shape.batch, model.shape.slot_dim);
    let cuda = &model.backend;
    let gates = cuda.at(&forward.acts.gates, t * b * 4 * d);
    let (dx, dh) = (cuda.at(&work.d_x, 0), cuda.at(&work.d_before, 0));
    // SAFETY: the gates of token t, [B,4D], and two [B,D].
    unsafe { gru(model, &model.layout.gru, gates, (dx, dh), d) }
}

/// # Safety
///
/// `gates` holds `[B,4*width]`, `dx` and `dh` hold `[B,width]`.
unsafe fn gru(
    model: &Model<Cuda>,
    at: &Gru,
    gates: u64,
    (dx, dh): (u64, u64),
    width: usize,
) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let cell = model.cell_weights(at);
    let function = cuda.0.kernels.gru_backward(shape.compute);
    // SAFETY: the caller's, and the layout's.
    unsafe {
        launch!(cuda, function, (shape.batch.div_ceil(8), width.div_ceil(8)), 512;
            gates, cell.weight_ih, cell.weight_hh, dx, dh, shape.batch as i32, width as i32)
    }
}

pub(super) fn collect(
    model: &Model<Cuda>,
    forward: &mut Forward<Cuda>,
    grads: &mut Gradients<Cuda>,
    work: &mut Workspace<Cuda>,
) -> Done {
    let (cuda, shape, layout) = (&model.backend, &model.shape, &model.layout);
    let (acts, kernels) = (&mut forward.acts, &cuda.0.kernels);
    let (b, r, d, n) = (shape.batch, shape.ring_len, shape.slot_dim, shape.tokens());
    let grad = |at: usize| cuda.at(&grads.values, at);
    let hidden = cuda.at(&acts.hidden, 0);
    let after = cuda.at(&acts.hidden, b * d);
    let len = acts.hidden.len();
    let heads = (layout.heads.weight.start, layout.heads.bias.start);
    // SAFETY: buffers of all tokens, [T,B,...], and the gradients at the layout's places.
    unsafe {
        launch!(cuda, kernels.fields(shape.pointer), (r.div_ceil(256), 1), 256;
            model.weight(layout.theta_ptr.start), model.weight(layout.theta_gate.start),
            cuda.at(&acts.pointers, 0), cuda.at(&acts.heads, 0), cuda.at(&work.d_target, 0),
            grad(layout.theta_ptr.start), grad(layout.theta_gate.start), n as i32, r as i32)?;
        launch!(cuda, &kernels.context, (1, 1), 1;
            model.weight(layout.context_logit), cuda.at(&work.d_gain, 0),
            grad(layout.context_logit), b as i32)?;
        let d_heads = (cuda.at(&acts.heads, 0), 4, 4);
        model.weight_gradients(&grads.values, heads, d_heads, (after, d), n)?;
        // From here on the hidden states are operands of products only.
        launch!(cuda, &kernels.round_all, (len.div_ceil(256), 1), 256;
            hidden, len as i64, mode(shape.compute))?;
        let x = cuda.at(&acts.x, 0);
        gru_weights(model, &grads.values, &layout.gru, &acts.gates, (x, hidden), d)
    }
}

/// Gradients of a cell's weights and biases from all tokens: `gates [T*B,4W]` hold those of the
/// pre-activations, `x` and `hidden` `[T*B,W]` are the operands of the two products.
///
/// # Safety
///
/// The addresses hold matrices of these sizes.
unsafe fn gru_weights(
    model: &Model<Cuda>,
    grads: &cudarc::driver::CudaSlice<f32>,
    at: &Gru,
    gates: &cudarc::driver::CudaSlice<f32>,
    (x, hidden): (u64, u64),
    w: usize,
) -> Done {
    let (cuda, n) = (&model.backend, model.shape.tokens());
    let (ih, hh) = ((at.weight_ih.start, at.bias_ih.start), (at.weight_hh.start, at.bias_hh.start));
    let candidate = (hh.0 + 2 * w * w, hh.1 + 2 * w);
    let columns = |first: usize, count: usize| (cuda.at(gates, first), 4 * w, count);
    // SAFETY: the caller's.
    unsafe {
        model.weight_gradients(grads, ih, columns(0, 3 * w), (x, w), n)?;
        model.weight_gradients(grads, hh, columns(0, 2 * w), (hidden, w), n)?;
        model.weight_gradients(grads, candidate, columns(3 * w, w), (hidden, w), n)
    }
}

pub(super) fn unsense(
    model: &Model<Cuda>,
    batch: &Batch<Cuda>,
    acts: &mut Activations<Cuda>,
    grads: &mut Gradients<Cuda>,
    work: &mut Workspace<Cuda>,
) -> Done {
    let (cuda, shape, layout) = (&model.backend, &model.shape, &model.layout);
    let (b, s, d, n) = (shape.batch, shape.sensory, shape.slot_dim, shape.tokens());
    let (states, after) = (cuda.at(&acts.sensory, 0), cuda.at(&acts.sensory, b * s));
    let (bridged, d_sensory) = (cuda.at(&acts.bridged, 0), cuda.at(&work.d_sensory, 0));
    let bridge = (layout.bridge.weight.start, layout.bridge.bias.start);
    let weight = Mat::new(model.product_weight(bridge.0), s);
    // SAFETY: buffers of all tokens, [T,B,D] and [T,B,S].
    unsafe {
        model.weight_gradients(&grads.values, bridge, (bridged, d, d), (after, s), n)?;
        model.weighted((bridged, weight, d_sensory), 0, (n, s, d), Epilogue::Write)?;
    }
    for t in (0..shape.synth_len).rev() {
        sense_back(model, acts, work, Some(t))?;
        let gates = cuda.at(&acts.sensory_gates, t * b * 4 * s);
        let (dx, dh) = (cuda.at(&work.d_sense_x, 0), cuda.at(&work.d_sense_before, 0));
        // SAFETY: the gates of token t, [B,4S], and two [B,S].
        unsafe { gru(model, &layout.sensory_gru, gates, (dx, dh), s)? };
        std::mem::swap(&mut work.d_sense, &mut work.d_sense_before);
    }
    sense_back(model, acts, work, None)?;
    let inputs = (layout.sensory_in.weight.start, layout.sensory_in.bias.start);
    let d_inputs = (cuda.at(&acts.sensory_in, 0), s, s);
    let x = cuda.at(&acts.sensory_x, 0);
    let gates = &acts.sensory_gates;
    // SAFETY: buffers of all tokens, [T,B,...].
    unsafe {
        gru_weights(model, &grads.values, &layout.sensory_gru, gates, (x, states), s)?;
        model.weight_gradients(&grads.values, inputs, d_inputs, (cuda.at(&batch.x, 0), 1), n)
    }
}

/// From the sensory cell of the token after `from` to that of `from`.
fn sense_back(
    model: &Model<Cuda>,
    acts: &Activations<Cuda>,
    work: &Workspace<Cuda>,
    from: Option<usize>,
) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let len = shape.batch * shape.sensory;
    let delay = i32::try_from(shape.sensory_delay).unwrap_or(i32::MAX);
    // SAFETY: the sensory path's buffers of this step.
    unsafe {
        launch!(cuda, &cuda.0.kernels.sense_back, (len.div_ceil(256), 1), 256;
            cuda.at(&work.d_sense_x, 0), cuda.at(&acts.sensory_in, 0),
            cuda.at(&work.d_sensory, 0), cuda.at(&acts.sensory, 0), cuda.at(&work.d_sense, 0),
            cuda.at(&work.d_sense_before, 0), cuda.at(&acts.sensory_gates, 0),
            from.map_or(-1, |t| t as i32), shape.synth_len as i32, delay, len as i32,
            shape.sensory as i32, mode(shape.compute))
    }
}
