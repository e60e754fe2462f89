//! The forward stages on the CPU.

use rayon::prelude::*;

use super::{Host, Operands, around, token, token_mut};
use crate::activations::Activations;
use crate::kernels::pointer::{Circle, Heads, Real, State};
use crate::kernels::{linear, readout, ring};
use crate::numeric::Numeric;
use crate::{Batch, Forward, Model, Tape};

pub(super) fn sense<N: Numeric>(
    model: &Model<Host>,
    batch: &Batch<Host>,
    acts: &mut Activations<Host>,
) {
    let (b, s) = (model.shape.batch, model.shape.sensory);
    let weights = model.product_weights();
    let cell = model.sensory_cell();
    linear::forward(weights, &model.layout.sensory_in, &batch.x, &mut acts.sensory_in);
    tanh_all::<N>(&mut acts.sensory_in);
    acts.sensory_x.copy_from_slice(&acts.sensory_in);
    for t in 0..model.shape.synth_len {
        let x = token_mut(&mut acts.sensory_x, t, b * s);
        if let Some(echo) = t.checked_sub(model.shape.sensory_delay) {
            let echo = token(&acts.sensory, echo + 1, b * s);
            x.iter_mut().zip(echo).for_each(|(x, e)| *x = N::round(*x + e));
        }
        let (state, next) = around(&mut acts.sensory, t, b * s);
        let gates = token_mut(&mut acts.sensory_gates, t, b * 4 * s);
        cell.forward::<N>((x, state), &mut acts.scratch.sensory, gates, next);
    }
    // From here on the states are operands of products only.
    N::round_all(&mut acts.sensory);
    let states = &acts.sensory[b * s..];
    linear::forward(weights, &model.layout.bridge, states, &mut acts.bridged);
    tanh_all::<N>(&mut acts.bridged);
}

pub(super) fn start<P: Real>(model: &Model<Host>, starts: &[f64], acts: &mut Activations<Host>) {
    let circle = model.circle::<P>();
    let carries = acts.carry.chunks_exact_mut(2);
    for ((unit, p), carry) in starts.iter().zip(&mut acts.pointers).zip(carries) {
        let state = circle.start(*unit);
        *p = state.p;
        carry.copy_from_slice(&[state.anchor, state.residual]);
    }
}

pub(super) fn cell<N: Numeric>(model: &Model<Host>, acts: &mut Activations<Host>, t: usize) {
    let (b, d) = (model.shape.batch, model.shape.slot_dim);
    let (state, next) = around(&mut acts.hidden, t, b * d);
    let x = token(&acts.x, t, b * d);
    let gates = token_mut(&mut acts.gates, t, b * 4 * d);
    let Operands { main, .. } = &mut acts.scratch;
    model.main_cell().forward::<N>((x, state), main, gates, next);
}

pub(super) fn turn<N: Numeric, P: Real>(
    model: &Model<Host>,
    forward: &mut Forward<Host>,
    from: Option<usize>,
) {
    let (b, d) = (model.shape.batch, model.shape.slot_dim);
    let circle = model.circle::<P>();
    let Forward { acts, tape, .. } = forward;
    let next = from.map_or(0, |t| t + 1);
    let reads = next < model.shape.synth_len;
    if let Some(t) = from {
        let heads = token_mut(&mut acts.heads, t, b * 4);
        let hidden = token(&acts.hidden, t + 1, b * d);
        linear::forward(&model.weights, &model.layout.heads, hidden, heads);
        if reads {
            write(model, acts, &circle, tape, t);
        }
        steer(model, acts, &circle, t);
    }
    if reads {
        read::<N, P>(model, acts, &circle, tape, next);
    }
}

/// Writes token `t`'s hidden state around its pointers, into the state after it.
fn write<P: Real>(
    model: &Model<Host>,
    acts: &Activations<Host>,
    circle: &Circle<'_, P>,
    tape: &mut Tape<Host>,
    t: usize,
) {
    let (b, d) = (model.shape.batch, model.shape.slot_dim);
    let samples = tape
        .borrow_mut(t + 1)
        .par_chunks_exact_mut(model.shape.ring_len * d)
        .zip(token(&acts.pointers, t, b))
        .zip(token(&acts.hidden, t + 1, b * d).par_chunks_exact(d));
    samples.for_each(|((ring, &p), h)| ring::scatter(ring, &circle.taps(p), h));
}

/// Moves every pointer away from token `t`.
fn steer<P: Real>(
    model: &Model<Host>,
    acts: &mut Activations<Host>,
    circle: &Circle<'_, P>,
    t: usize,
) {
    let batch = model.shape.batch;
    let carries = acts.carry.chunks_exact_mut(2);
    for ((b, carry), moved) in carries.enumerate().zip(&mut acts.moved) {
        let state = State { p: acts.pointers[t * batch + b], anchor: carry[0], residual: carry[1] };
        let (next, distance) = circle.advance(state, heads_at(model, &acts.heads, t, b));
        acts.pointers[(t + 1) * batch + b] = next.p;
        carry.copy_from_slice(&[next.anchor, next.residual]);
        *moved += distance;
    }
}

/// The raw heads that move sample `b` at token `t`, or none where the pointer is held.
pub(super) fn heads_at(model: &Model<Host>, heads: &[f32], t: usize, b: usize) -> Option<Heads> {
    let at = (t * model.shape.batch + b) * 4;
    t.is_multiple_of(model.shape.ptr_update_every).then(|| std::array::from_fn(|k| heads[at + k]))
}

/// Token `t`'s input: the bridge and what its pointers read.
fn read<N: Numeric, P: Real>(
    model: &Model<Host>,
    acts: &mut Activations<Host>,
    circle: &Circle<'_, P>,
    tape: &Tape<Host>,
    t: usize,
) {
    let (b, d) = (model.shape.batch, model.shape.slot_dim);
    let gain = model.context_gain();
    let samples = tape
        .borrow(t)
        .par_chunks_exact(model.shape.ring_len * d)
        .zip(token(&acts.pointers, t, b))
        .zip(token(&acts.bridged, t, b * d).par_chunks_exact(d))
        .zip(token_mut(&mut acts.x, t, b * d).par_chunks_exact_mut(d));
    samples.for_each(|(((ring, &p), inp), x)| {
        ring::read(ring, &circle.taps(p), x);
        x.iter_mut().zip(inp).for_each(|(x, i)| *x = N::round(i + gain * *x));
    });
}

pub(super) fn read_out<N: Numeric, P: Real>(
    model: &Model<Host>,
    batch: &Batch<Host>,
    forward: &mut Forward<Host>,
) {
    let shape = &model.shape;
    let circle = model.circle::<P>();
    let last = token(&forward.acts.pointers, shape.synth_len, shape.batch);
    forward.slots.iter_mut().zip(last).for_each(|(slot, p)| *slot = circle.slot(*p) as u32);
    gather::<N, P>(model, &circle, forward);
    let Forward { features, logits, slots, losses, acts, results, .. } = forward;
    readout::forward(model.product_weights(), &model.layout.readout, slots, features, logits);
    readout::losses(logits, &batch.labels, losses);
    let loss: f64 = losses.iter().map(|l| f64::from(*l)).sum();
    let moved: f64 = acts.moved.iter().sum();
    let samples = shape.batch as f64;
    results.0.copy_from_slice(&[loss / samples, moved / shape.tokens() as f64]);
}

/// The readout's features: each sample's last slot after the last write, and its hidden state.
fn gather<N: Numeric, P: Real>(
    model: &Model<Host>,
    circle: &Circle<'_, P>,
    forward: &mut Forward<Host>,
) {
    let (b, r, d) = (model.shape.batch, model.shape.ring_len, model.shape.slot_dim);
    let last = model.shape.synth_len - 1;
    let state = forward.tape.borrow(last);
    let hidden = token(&forward.acts.hidden, last + 1, b * d);
    let pointers = token(&forward.acts.pointers, last, b);
    for (i, features) in forward.features.chunks_exact_mut(d).enumerate() {
        let (slot, h) = (forward.slots[i] as usize, &hidden[i * d..(i + 1) * d]);
        features.copy_from_slice(ring::row(state, i * r + slot, d));
        let taps = circle.taps(pointers[i]);
        let hits = taps.slots.iter().zip(taps.weights).filter(|(s, _)| **s == slot);
        hits.for_each(|(_, weight)| ring::axpy(weight, h, features));
        ring::axpy(1.0, h, features);
        N::round_all(features);
    }
}

fn tanh_all<N: Numeric>(values: &mut [f32]) {
    values.par_iter_mut().for_each(|v| *v = N::round(v.tanh()));
}
