//! The forward stages on a card.

use cudarc::driver::{CudaSlice, result};

use super::device::{Device, failed, launch, mode};
use super::{Cell, Cuda};
use crate::activations::Activations;
use crate::{Batch, Forward, Model, Tape, WorkloadError};

type Done = Result<(), WorkloadError>;

pub(super) fn sense(
    model: &Model<Cuda>,
    batch: &Batch<Cuda>,
    acts: &mut Activations<Cuda>,
) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let (b, s) = (shape.batch, shape.sensory);
    let inputs = cuda.at(&acts.sensory_in, 0);
    // SAFETY: the inputs are [T,B,1], the layer's outputs [T,B,S].
    unsafe { model.linear_tanh(&model.layout.sensory_in, cuda.at(&batch.x, 0), inputs)? };
    let copied = failed("copying on the card");
    cuda.0.stream.memcpy_dtod(&acts.sensory_in, &mut acts.sensory_x).map_err(copied)?;
    let cell = model.cell_weights(&model.layout.sensory_gru);
    for t in 0..shape.synth_len {
        let x = cuda.at(&acts.sensory_x, t * b * s);
        if let Some(echo) = t.checked_sub(shape.sensory_delay) {
            let echo = cuda.at(&acts.sensory, (echo + 1) * b * s);
            // SAFETY: both are [B,S].
            unsafe {
                launch!(cuda, &cuda.0.kernels.add, ((b * s).div_ceil(256), 1), 256;
                    echo, x, (b * s) as i32, mode(shape.compute))?;
            }
        }
        // SAFETY: the parts of token t, [B,S] and [B,4S].
        unsafe {
            gru(
                model,
                &cell,
                (x, cuda.at(&acts.sensory, t * b * s)),
                cuda.at(&acts.sensory_gates, t * b * 4 * s),
                cuda.at(&acts.sensory, (t + 1) * b * s),
                s,
            )?;
        }
    }
    let states = cuda.at(&acts.sensory, b * s);
    let len = acts.sensory.len();
    // SAFETY: [T+1,B,S] are rounded; the bridge takes the last T of them to [T,B,D].
    unsafe {
        // From here on the states are operands of products only.
        launch!(cuda, &cuda.0.kernels.round_all, (len.div_ceil(256), 1), 256;
            cuda.at(&acts.sensory, 0), len as i64, mode(shape.compute))?;
        model.linear_tanh(&model.layout.bridge, states, cuda.at(&acts.bridged, 0))
    }
}

/// # Safety
///
/// `x`, `hidden` and `next` hold `[B,width]`, `gates` `[B,4*width]`.
unsafe fn gru(
    model: &Model<Cuda>,
    cell: &Cell,
    (x, hidden): (u64, u64),
    gates: u64,
    next: u64,
    width: usize,
) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let function = cuda.0.kernels.gru_forward(shape.compute);
    // SAFETY: the caller's, and the layout's.
    unsafe {
        launch!(cuda, function, (shape.batch.div_ceil(8), width.div_ceil(2)), 128;
            x, hidden, cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, gates, next,
            shape.batch as i32, width as i32, mode(shape.compute))
    }
}

pub(super) fn start(
    model: &Model<Cuda>,
    units: &CudaSlice<f64>,
    forward: &mut Forward<Cuda>,
) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let Forward { tape, acts, .. } = forward;
    cuda.fill_zero(&mut tape.cells, 0..tape.state_len)?;
    let function = cuda.0.kernels.start(shape.pointer);
    // SAFETY: one start a sample, [B] pointers and [B,2] carried.
    unsafe {
        launch!(cuda, function, (shape.batch.div_ceil(256), 1), 256;
            cuda.at(units, 0), cuda.at(&acts.pointers, 0), cuda.at(&acts.carry, 0),
            shape.ring_len as i32, shape.batch as i32)
    }
}

/// The copy runs beside the token's cell, which does not need it; [`turn`] waits for it.
pub(super) fn advance(cuda: &Cuda, tape: &mut Tape<Cuda>, t: usize) -> Done {
    let Device { stream, copies, written, copied, .. } = &*cuda.0;
    let from = cuda.at(&tape.cells, t * tape.state_len);
    let to = cuda.at(&tape.cells, (t + 1) * tape.state_len);
    let bytes = tape.state_len * size_of::<f32>();
    let copy = || {
        written.record(stream)?;
        copies.wait(written)?;
        // SAFETY: two states of the tape, which do not overlap.
        unsafe { result::memcpy_dtod_async(to, from, bytes, copies.cu_stream())? };
        copied.record(copies)
    };
    copy().map_err(failed("copying on the card"))
}

pub(super) fn cell(model: &Model<Cuda>, acts: &mut Activations<Cuda>, t: usize) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let (b, d) = (shape.batch, shape.slot_dim);
    // SAFETY: the parts of token t, [B,D] and [B,4D].
    unsafe {
        gru(
            model,
            &model.cell_weights(&model.layout.gru),
            (cuda.at(&acts.x, t * b * d), cuda.at(&acts.hidden, t * b * d)),
            cuda.at(&acts.gates, t * b * 4 * d),
            cuda.at(&acts.hidden, (t + 1) * b * d),
            d,
        )
    }
}

pub(super) fn turn(model: &Model<Cuda>, forward: &mut Forward<Cuda>, from: Option<usize>) -> Done {
    let (cuda, acts) = (&model.backend, &forward.acts);
    let function = cuda.0.kernels.turn(model.shape.pointer);
    if from.is_some_and(|t| t + 1 < model.shape.synth_len) {
        cuda.0.stream.wait(&cuda.0.copied).map_err(failed("waiting for a copy"))?;
    }
    // SAFETY: the buffers of this step, sized as the kernel's arguments say.
    unsafe {
        launch!(cuda, function, (model.shape.batch, 1), model.row_threads();
            model.turn_arguments(forward, from), cuda.at(&acts.carry, 0), cuda.at(&acts.moved, 0),
            cuda.at(&acts.x, 0))
    }
}

pub(super) fn read_out(
    model: &Model<Cuda>,
    batch: &Batch<Cuda>,
    forward: &mut Forward<Cuda>,
) -> Done {
    let (cuda, shape) = (&model.backend, &model.shape);
    let (b, d, t) = (shape.batch, shape.slot_dim, shape.synth_len);
    let Forward { acts, tape, features, logits, slots, losses, results, .. } = forward;
    let kernels = &cuda.0.kernels;
    let weights = model.product_weight(model.layout.readout[0].weight.start);
    // SAFETY: the last state and hidden state, and one row or element a sample.
    unsafe {
        launch!(cuda, kernels.gather(shape.pointer), (b, 1), model.row_threads();
            cuda.at(&tape.cells, (t - 1) * tape.state_len), cuda.at(&acts.hidden, t * b * d),
            cuda.at(&acts.pointers, 0), cuda.at(features, 0), cuda.at(slots, 0), t as i32,
            b as i32, shape.ring_len as i32, d as i32, mode(shape.compute))?;
        launch!(cuda, kernels.readout(shape.compute), (b, 1), 256;
            cuda.at(features, 0), weights, cuda.at(slots, 0), cuda.at(&batch.labels, 0),
            cuda.at(logits, 0), cuda.at(losses, 0), shape.out_dim as i32, d as i32)?;
        launch!(cuda, &kernels.results, (1, 1), 1;
            cuda.at(losses, 0), cuda.at(&acts.moved, 0), cuda.at(&results.0, 0), b as i32,
            t as i32)
    }
}
