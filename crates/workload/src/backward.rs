//! The hand-written backward of [`Model::forward`].
//!
//! candle's autograd keeps a chain of partial sums for a weight that every token uses, and a
//! zero-filled copy of the ring state per use. Here the gradient of the ring state is one buffer
//! updated in place, and weight gradients are taken from all tokens at once.

use rayon::prelude::*;
use vram_metrics::Phase;

use crate::activations::{token, token_mut};
use crate::kernels::gru::{self, Cell};
use crate::kernels::pointer::{Circle, Gradient, Real};
use crate::kernels::{linear, readout, ring};
use crate::numeric::{Brain16, Half16, Numeric, Single};
use crate::shape::{Compute, Pointer, TAPS};
use crate::{Batch, Forward, Gradients, Model, Shape, WorkloadError, memory};

/// What backward allocates: alive from its start to its end.
struct Workspace {
    /// Gradient of the ring state, `[B,R,D]`: the one whole state besides the tape.
    d_ring: Vec<f32>,
    /// Gradients of the hidden state, of the one before, of the cell's input: `[B,D]` each.
    d_hidden: Vec<f32>,
    d_before: Vec<f32>,
    d_x: Vec<f32>,
    /// Gradients of the tap weights and, through the context gain, of its logit: per sample, so
    /// that they are summed in the same order whatever the threads do.
    d_taps: Vec<[f32; TAPS]>,
    d_gain: Vec<f32>,
    /// Gradients of the sensory states, `[T,B,S]`.
    d_sensory: Vec<f32>,
    /// The same three of the sensory cell, `[B,S]` each.
    d_sense: Vec<f32>,
    d_sense_before: Vec<f32>,
    d_sense_x: Vec<f32>,
}

impl Workspace {
    fn new(shape: &Shape) -> Result<Self, WorkloadError> {
        let (b, d, s) = (shape.batch, shape.slot_dim, shape.sensory);
        let floats = |len: usize| memory::zeroed("backward's workspace", len);
        Ok(Self {
            d_ring: memory::zeroed("the ring state's gradient", shape.state_len())?,
            d_hidden: floats(b * d)?,
            d_before: floats(b * d)?,
            d_x: floats(b * d)?,
            d_taps: memory::zeroed("backward's workspace", b)?,
            d_gain: floats(b)?,
            d_sensory: floats(shape.tokens() * s)?,
            d_sense: floats(b * s)?,
            d_sense_before: floats(b * s)?,
            d_sense_x: floats(b * s)?,
        })
    }
}

impl Model {
    /// Gradients of `scale * loss` into `grads`. Calls `mark` with [`Phase::BackwardPeak`] while
    /// everything it holds is alive.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if its workspace does not fit.
    pub fn backward(
        &self,
        batch: &Batch,
        forward: Forward,
        grads: &mut Gradients,
        scale: f32,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<(), WorkloadError> {
        match self.shape.compute {
            Compute::Fp32 => self.backward_in::<Single>(batch, forward, grads, scale, mark),
            Compute::Fp16 => self.backward_in::<Half16>(batch, forward, grads, scale, mark),
            Compute::Bf16 => self.backward_in::<Brain16>(batch, forward, grads, scale, mark),
        }
    }

    fn backward_in<N: Numeric>(
        &self,
        batch: &Batch,
        forward: Forward,
        grads: &mut Gradients,
        scale: f32,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<(), WorkloadError> {
        match self.shape.pointer {
            Pointer::Fp64 => self.backward_with::<N, f64>(batch, forward, grads, scale, mark),
            Pointer::Fp32 => self.backward_with::<N, f32>(batch, forward, grads, scale, mark),
        }
    }

    fn backward_with<N: Numeric, P: Real>(
        &self,
        batch: &Batch,
        mut forward: Forward,
        grads: &mut Gradients,
        scale: f32,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<(), WorkloadError> {
        let circle = self.circle::<P>();
        let mut work = Workspace::new(&self.shape)?;
        let mut pointers = vec![Gradient::default(); self.shape.batch];
        grads.start(&self.layout, &forward.slots);

        self.leave::<N>(batch, &mut forward, grads, scale, &mut work);
        for t in (0..self.shape.synth_len).rev() {
            self.unsteer(t, &circle, &mut forward, grads, &mut pointers);
            self.untoken::<N, P>(t, &circle, &mut forward, grads, &mut pointers, &mut work);
        }
        self.collect::<N>(&mut forward, grads);
        self.unsense::<N>(batch, &mut forward, grads, &mut work);
        mark(Phase::BackwardPeak);
        Ok(())
    }

    /// From the loss to the gradients of the last ring state and the last hidden state.
    fn leave<N: Numeric>(
        &self,
        batch: &Batch,
        forward: &mut Forward,
        grads: &mut Gradients,
        scale: f32,
        work: &mut Workspace,
    ) {
        let (r, d) = (self.shape.ring_len, self.shape.slot_dim);
        readout::loss_gradient::<N>(&mut forward.logits, &batch.labels, scale);
        readout::backward(
            self.product_weights(),
            &mut grads.values,
            &self.layout.readout,
            &forward.slots,
            (&forward.features, &forward.logits),
            &mut work.d_hidden,
        );
        for (b, d_features) in work.d_hidden.chunks_exact(d).enumerate() {
            let at = (b * r + forward.slots[b]) * d;
            ring::axpy(1.0, d_features, &mut work.d_ring[at..at + d]);
        }
    }

    /// Token t's move: gradients of the pointers before it, of the fields, and of the raw heads
    /// (in place of their values).
    fn unsteer<P: Real>(
        &self,
        t: usize,
        circle: &Circle<'_, P>,
        forward: &mut Forward,
        grads: &mut Gradients,
        pointers: &mut [Gradient],
    ) {
        let batch = self.shape.batch;
        for (b, pointer) in pointers.iter_mut().enumerate() {
            let p = forward.acts.pointers[t * batch + b];
            let heads = self.heads_at(t, b, &forward.acts);
            let (before, moved) = circle.retreat(p, heads, *pointer);
            *pointer = before;
            let d_heads = &mut forward.acts.heads[(t * batch + b) * 4..][..4];
            let Some((values, fields)) = moved else {
                d_heads.fill(0.0);
                continue;
            };
            d_heads.copy_from_slice(&values);
            for (k, slot) in fields.slots.into_iter().enumerate() {
                grads.values[self.layout.theta_ptr.start + slot] += fields.theta_ptr[k];
                grads.values[self.layout.theta_gate.start + slot] += fields.theta_gate[k];
            }
        }
    }

    /// The rest of token t, backwards: heads, write, cell, read, taps.
    fn untoken<N: Numeric, P: Real>(
        &self,
        t: usize,
        circle: &Circle<'_, P>,
        forward: &mut Forward,
        grads: &mut Gradients,
        pointers: &mut [Gradient],
        work: &mut Workspace,
    ) {
        let (b, r, d) = (self.shape.batch, self.shape.ring_len, self.shape.slot_dim);
        let acts = &mut forward.acts;
        let weights = self.product_weights();
        let heads = token(&acts.heads, t, b * 4);
        let (at, d_hidden) = (&self.layout.heads, &mut work.d_hidden);
        linear::input_gradient(&self.weights, at, heads, d_hidden, true);

        let hidden = token(&acts.hidden, t + 1, b * d);
        let positions = token(&acts.pointers, t, b);
        let samples = work
            .d_ring
            .par_chunks_exact(r * d)
            .zip(work.d_hidden.par_chunks_exact_mut(d))
            .zip(hidden.par_chunks_exact(d))
            .zip(&mut work.d_taps)
            .zip(positions);
        samples.for_each(|((((d_ring, d_h), h), d_taps), &p)| {
            let taps = circle.taps(p);
            *d_taps = ring::project(d_ring, &taps, h);
            taps.slots.iter().zip(taps.weights).for_each(|(slot, w)| {
                ring::axpy(w, ring::row(d_ring, *slot, d), d_h);
            });
        });

        Cell::new(weights, &self.layout.gru, d).backward::<N>(
            (&work.d_hidden, token(&acts.hidden, t, b * d)),
            token_mut(&mut acts.gates, t, b * 4 * d),
            &mut work.d_x,
            &mut work.d_before,
        );
        std::mem::swap(&mut work.d_hidden, &mut work.d_before);

        let gain = self.context_gain();
        let samples = forward
            .tape
            .state(t)
            .par_chunks_exact(r * d)
            .zip(work.d_ring.par_chunks_exact_mut(r * d))
            .zip(work.d_x.par_chunks_exact_mut(d))
            .zip(token_mut(&mut acts.bridged, t, b * d).par_chunks_exact_mut(d))
            .zip(&mut work.d_taps)
            .zip(&mut work.d_gain)
            .zip(positions)
            .zip(&mut *pointers);
        samples.for_each(
            |(((((((state, d_ring), d_x), bridged), d_taps), d_gain), &p), pointer)| {
                let taps = circle.taps(p);
                let d_read = ring::project(state, &taps, d_x);
                *d_gain = ring::dot_taps(&taps, &d_read);
                d_taps.iter_mut().zip(d_read).for_each(|(w, g)| *w += gain * g);
                pointer.p += taps.backward(*d_taps);
                // The bridge's gradient takes the place of its value, through the tanh.
                bridged.iter_mut().zip(&*d_x).for_each(|(v, g)| *v = N::round(g * (1.0 - *v * *v)));
                d_x.iter_mut().for_each(|g| *g *= gain);
                ring::scatter(d_ring, &taps, d_x);
            },
        );
        let d_gain: f32 = work.d_gain.iter().sum();
        grads.values[self.layout.context_logit] += d_gain * gain * (1.0 - gain);
    }

    /// Weight gradients of the main cell and the heads, for all tokens at once.
    fn collect<N: Numeric>(&self, forward: &mut Forward, grads: &mut Gradients) {
        let acts = &mut forward.acts;
        let d = self.shape.slot_dim;
        let grads = &mut grads.values;
        let (_, after) = halves(&acts.hidden, self.shape.batch * d);
        linear::weight_gradients(grads, &self.layout.heads, &acts.heads, after);
        // From here on the hidden states are operands of products only.
        N::round_all(&mut acts.hidden);
        let (before, _) = halves(&acts.hidden, self.shape.batch * d);
        let at = &self.layout.gru;
        gru::weight_gradients(grads, at, d, &acts.gates, (&acts.x, before));
    }

    /// The bridge and the sensory path.
    fn unsense<N: Numeric>(
        &self,
        batch: &Batch,
        forward: &mut Forward,
        grads: &mut Gradients,
        work: &mut Workspace,
    ) {
        let (b, s) = (self.shape.batch, self.shape.sensory);
        let acts = &mut forward.acts;
        let weights = self.product_weights();
        let grads = &mut grads.values;
        let bridge = &self.layout.bridge;
        let (before, after) = halves(&acts.sensory, b * s);
        linear::weight_gradients(grads, bridge, &acts.bridged, after);
        linear::input_gradient(weights, bridge, &acts.bridged, &mut work.d_sensory, false);

        let cell = Cell::new(weights, &self.layout.sensory_gru, s);
        for t in (0..self.shape.synth_len).rev() {
            ring::axpy(1.0, token(&work.d_sensory, t, b * s), &mut work.d_sense);
            cell.backward::<N>(
                (&work.d_sense, token(&acts.sensory, t, b * s)),
                token_mut(&mut acts.sensory_gates, t, b * 4 * s),
                &mut work.d_sense_x,
                &mut work.d_sense_before,
            );
            std::mem::swap(&mut work.d_sense, &mut work.d_sense_before);
            if let Some(echo) = t.checked_sub(self.shape.sensory_delay) {
                let d_echo = token_mut(&mut work.d_sensory, echo, b * s);
                ring::axpy(1.0, &work.d_sense_x, d_echo);
            }
            let inputs = token_mut(&mut acts.sensory_in, t, b * s);
            inputs
                .iter_mut()
                .zip(&work.d_sense_x)
                .for_each(|(v, g)| *v = N::round(g * (1.0 - *v * *v)));
        }
        let (at, gates) = (&self.layout.sensory_gru, &acts.sensory_gates);
        gru::weight_gradients(grads, at, s, gates, (&acts.sensory_x, before));
        linear::weight_gradients(grads, &self.layout.sensory_in, &acts.sensory_in, &batch.x);
    }
}

/// States `[T+1,...]` as those before each token and those after each token.
fn halves(states: &[f32], len: usize) -> (&[f32], &[f32]) {
    (&states[..states.len() - len], &states[len..])
}
