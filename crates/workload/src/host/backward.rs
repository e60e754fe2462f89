//! The backward stages on the CPU.

use rayon::prelude::*;

use super::forward::heads_at;
use super::{Host, token, token_mut};
use crate::activations::Activations;
use crate::backward::Workspace;
use crate::kernels::pointer::{Circle, Gradient, Real};
use crate::kernels::{gru, linear, readout, ring};
use crate::numeric::Numeric;
use crate::shape::TAPS;
use crate::{Batch, Forward, Model};

/// From the loss to the gradients of the last ring state and the last hidden state.
pub(super) fn leave<N: Numeric>(
    model: &Model<Host>,
    batch: &Batch<Host>,
    forward: &mut Forward<Host>,
    grads: &mut [f32],
    scale: f32,
    work: &mut Workspace<Host>,
) {
    let (r, d) = (model.shape.ring_len, model.shape.slot_dim);
    readout::loss_gradient::<N>(&mut forward.logits, &batch.labels, scale);
    readout::backward(
        model.product_weights(),
        grads,
        &model.layout.readout,
        &forward.slots,
        (&forward.features, &forward.logits),
        &mut work.d_hidden,
    );
    for (b, d_features) in work.d_hidden.chunks_exact(d).enumerate() {
        let at = (b * r + forward.slots[b] as usize) * d;
        ring::axpy(1.0, d_features, &mut work.d_ring[at..at + d]);
    }
}

pub(super) fn turn_back<N: Numeric, P: Real>(
    model: &Model<Host>,
    forward: &mut Forward<Host>,
    work: &mut Workspace<Host>,
    from: Option<usize>,
) {
    let circle = model.circle::<P>();
    let next = from.map_or(0, |t| t + 1);
    if next < model.shape.synth_len {
        unread::<N, P>(model, &circle, forward, work, next);
    }
    if let Some(t) = from {
        unsteer(model, &circle, &mut forward.acts, work, t);
        unwrite::<N, P>(model, &circle, &mut forward.acts, work, t);
    }
}

/// What token `t` read: gradients of the ring's rows, of the taps, of the pointers, of the gain
/// and (in place of its value, through the tanh) of the bridge.
fn unread<N: Numeric, P: Real>(
    model: &Model<Host>,
    circle: &Circle<'_, P>,
    forward: &mut Forward<Host>,
    work: &mut Workspace<Host>,
    t: usize,
) {
    let (b, r, d) = (model.shape.batch, model.shape.ring_len, model.shape.slot_dim);
    let gain = model.context_gain();
    let acts = &mut forward.acts;
    let samples = forward
        .tape
        .borrow(t)
        .par_chunks_exact(r * d)
        .zip(work.d_ring.par_chunks_exact_mut(r * d))
        .zip(work.d_x.par_chunks_exact_mut(d))
        .zip(token_mut(&mut acts.bridged, t, b * d).par_chunks_exact_mut(d))
        .zip(work.d_taps.par_chunks_exact(TAPS))
        .zip(&mut work.d_gain)
        .zip(token(&acts.pointers, t, b))
        .zip(work.d_pointer.par_chunks_exact_mut(2));
    samples.for_each(
        |(((((((state, d_ring), d_x), bridged), d_written), d_gain), &p), d_pointer)| {
            let taps = circle.taps(p);
            let d_read = ring::project(state, &taps, d_x);
            *d_gain += ring::dot_taps(&taps, &d_read);
            let d_taps = std::array::from_fn(|j| d_written[j] + gain * d_read[j]);
            d_pointer[0] += taps.backward(d_taps);
            bridged.iter_mut().zip(&*d_x).for_each(|(v, g)| *v = N::round(g * (1.0 - *v * *v)));
            d_x.iter_mut().for_each(|g| *g *= gain);
            ring::scatter(d_ring, &taps, d_x);
        },
    );
}

/// Token `t`'s move: gradients of the pointers before it, of the rounded targets, and of the raw
/// heads (in place of their values).
fn unsteer<P: Real>(
    model: &Model<Host>,
    circle: &Circle<'_, P>,
    acts: &mut Activations<Host>,
    work: &mut Workspace<Host>,
    t: usize,
) {
    let batch = model.shape.batch;
    for (b, d_pointer) in work.d_pointer.chunks_exact_mut(2).enumerate() {
        let at = t * batch + b;
        let grad = Gradient { p: d_pointer[0], residual: d_pointer[1] };
        let heads = heads_at(model, &acts.heads, t, b);
        let (before, d_heads, d_target) = circle.retreat(acts.pointers[at], heads, grad);
        d_pointer.copy_from_slice(&[before.p, before.residual]);
        acts.heads[at * 4..][..4].copy_from_slice(&d_heads);
        work.d_target[at] = d_target;
    }
}

/// Token `t`'s heads and write: gradients of the taps and of the hidden state, and from those the
/// gates' (in place of their values) and `z * dh`.
fn unwrite<N: Numeric, P: Real>(
    model: &Model<Host>,
    circle: &Circle<'_, P>,
    acts: &mut Activations<Host>,
    work: &mut Workspace<Host>,
    t: usize,
) {
    let (b, r, d) = (model.shape.batch, model.shape.ring_len, model.shape.slot_dim);
    let heads = token(&acts.heads, t, b * 4);
    linear::input_gradient(&model.weights, &model.layout.heads, heads, &mut work.d_hidden, true);
    let samples = work
        .d_ring
        .par_chunks_exact(r * d)
        .zip(work.d_hidden.par_chunks_exact_mut(d))
        .zip(token(&acts.hidden, t + 1, b * d).par_chunks_exact(d))
        .zip(work.d_taps.par_chunks_exact_mut(TAPS))
        .zip(token(&acts.pointers, t, b));
    samples.for_each(|((((d_ring, d_h), h), d_taps), &p)| {
        let taps = circle.taps(p);
        d_taps.copy_from_slice(&ring::project(d_ring, &taps, h));
        taps.slots.iter().zip(taps.weights).for_each(|(slot, w)| {
            ring::axpy(w, ring::row(d_ring, *slot, d), d_h);
        });
    });
    gru::gate_gradients::<N>(
        (&work.d_hidden, token(&acts.hidden, t, b * d)),
        token_mut(&mut acts.gates, t, b * 4 * d),
        &mut work.d_before,
        d,
    );
}

/// Gradients from all tokens at once: the fields, the gain, the heads and the main cell.
pub(super) fn collect<N: Numeric, P: Real>(
    model: &Model<Host>,
    forward: &mut Forward<Host>,
    grads: &mut [f32],
    work: &Workspace<Host>,
) {
    let acts = &mut forward.acts;
    let (layout, d) = (&model.layout, model.shape.slot_dim);
    let circle = model.circle::<P>();
    let moves = acts.pointers.iter().zip(&work.d_target).zip(acts.heads.chunks_exact(4));
    for ((&p, &d_target), d_heads) in moves {
        let fields = circle.field_gradient(p, d_target, d_heads[0]);
        for (k, slot) in fields.slots.into_iter().enumerate() {
            grads[layout.theta_ptr.start + slot] += fields.theta_ptr[k];
            grads[layout.theta_gate.start + slot] += fields.theta_gate[k];
        }
    }
    let gain = model.context_gain();
    grads[layout.context_logit] += work.d_gain.iter().sum::<f32>() * gain * (1.0 - gain);

    let (_, after) = halves(&acts.hidden, model.shape.batch * d);
    linear::weight_gradients(grads, &layout.heads, &acts.heads, after);
    // From here on the hidden states are operands of products only.
    N::round_all(&mut acts.hidden);
    let (before, _) = halves(&acts.hidden, model.shape.batch * d);
    gru::weight_gradients(grads, &layout.gru, d, &acts.gates, (&acts.x, before));
}

/// The bridge and the sensory path.
pub(super) fn unsense<N: Numeric>(
    model: &Model<Host>,
    batch: &Batch<Host>,
    acts: &mut Activations<Host>,
    grads: &mut [f32],
    work: &mut Workspace<Host>,
) {
    let (b, s) = (model.shape.batch, model.shape.sensory);
    let weights = model.product_weights();
    let bridge = &model.layout.bridge;
    let (before, after) = halves(&acts.sensory, b * s);
    linear::weight_gradients(grads, bridge, &acts.bridged, after);
    linear::input_gradient(weights, bridge, &acts.bridged, &mut work.d_sensory, false);

    let cell = model.sensory_cell();
    for t in (0..model.shape.synth_len).rev() {
        ring::axpy(1.0, token(&work.d_sensory, t, b * s), &mut work.d_sense);
        let gates = token_mut(&mut acts.sensory_gates, t, b * 4 * s);
        gru::gate_gradients::<N>(
            (&work.d_sense, token(&acts.sensory, t, b * s)),
            gates,
            &mut work.d_sense_before,
            s,
        );
        cell.input_gradients(gates, &mut work.d_sense_x, &mut work.d_sense_before);
        std::mem::swap(&mut work.d_sense, &mut work.d_sense_before);
        if let Some(echo) = t.checked_sub(model.shape.sensory_delay) {
            let d_echo = token_mut(&mut work.d_sensory, echo, b * s);
            ring::axpy(1.0, &work.d_sense_x, d_echo);
        }
        let inputs = token_mut(&mut acts.sensory_in, t, b * s);
        inputs
            .iter_mut()
            .zip(&work.d_sense_x)
            .for_each(|(v, g)| *v = N::round(g * (1.0 - *v * *v)));
    }
    let (at, gates) = (&model.layout.sensory_gru, &acts.sensory_gates);
    gru::weight_gradients(grads, at, s, gates, (&acts.sensory_x, before));
    linear::weight_gradients(grads, &model.layout.sensory_in, &acts.sensory_in, &batch.x);
}

/// States `[T+1,...]` as those before each token and those after each token.
fn halves(states: &[f32], len: usize) -> (&[f32], &[f32]) {
    (&states[..states.len() - len], &states[len..])
}
