use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::activations::{Activations, around, token, token_mut};
use crate::kernels::gru::Cell;
use crate::kernels::pointer::{Circle, Heads, Real, State};
use crate::kernels::{linear, readout, ring};
use crate::numeric::{Brain16, Half16, Numeric, Single, sigmoid};
use crate::shape::{CLASSES, Compute, Pointer};
use crate::{Batch, Model, Tape, WorkloadError, memory};

/// One forward pass: its results, and everything backward needs.
#[derive(Debug)]
pub struct Forward {
    pub(crate) acts: Activations,
    pub(crate) tape: Tape,
    pub(crate) features: Vec<f32>,
    pub(crate) logits: Vec<f32>,
    pub(crate) slots: Vec<usize>,
    loss: f32,
    move_penalty: f64,
}

impl Forward {
    /// Mean cross-entropy of the last token's logits.
    pub fn loss(&self) -> f32 {
        self.loss
    }

    /// Mean distance, in slots, that a pointer moved per token. Not part of the loss.
    pub fn move_penalty(&self) -> f64 {
        self.move_penalty
    }

    /// The slot each sample's pointer ends on, `[B]`.
    pub fn ptr_int(&self) -> &[usize] {
        &self.slots
    }

    /// The last token's logits, `[B,C]`.
    ///
    /// # Errors
    ///
    /// If candle refuses the tensor.
    pub fn logits(&self) -> Result<Tensor, WorkloadError> {
        let dims = (self.slots.len(), CLASSES);
        Ok(Tensor::from_slice(&self.logits, dims, &Device::Cpu)?)
    }

    /// The ring states that backward will read.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// The ring states that backward will read, to be changed.
    pub fn tape_mut(&mut self) -> &mut Tape {
        &mut self.tape
    }

    /// The hidden state after token `t`, `[B,D]` row-major.
    ///
    /// # Panics
    ///
    /// If there is no token `t`.
    pub fn hidden(&self, t: usize) -> &[f32] {
        token(&self.acts.hidden, t + 1, self.features.len())
    }

    /// The pointers before token `t`, `[B]`, in `[0,R)`.
    ///
    /// # Panics
    ///
    /// If there is no token `t`.
    pub fn pointers(&self, t: usize) -> &[f64] {
        token(&self.acts.pointers, t, self.slots.len())
    }
}

impl Model {
    /// Runs all tokens of `batch`; sample b's pointer starts at `starts[b] * (R - 1)`.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the tape or the activations do not fit.
    ///
    /// # Panics
    ///
    /// If `starts` does not hold one value per sample.
    pub fn forward(&mut self, batch: &Batch, starts: &[f64]) -> Result<Forward, WorkloadError> {
        assert_eq!(starts.len(), self.shape.batch, "one start per sample");
        self.cast_weights();
        match self.shape.compute {
            Compute::Fp32 => self.forward_in::<Single>(batch, starts),
            Compute::Fp16 => self.forward_in::<Half16>(batch, starts),
            Compute::Bf16 => self.forward_in::<Brain16>(batch, starts),
        }
    }

    fn forward_in<N: Numeric>(
        &self,
        batch: &Batch,
        starts: &[f64],
    ) -> Result<Forward, WorkloadError> {
        match self.shape.pointer {
            Pointer::Fp64 => self.forward_with::<N, f64>(batch, starts),
            Pointer::Fp32 => self.forward_with::<N, f32>(batch, starts),
        }
    }

    fn forward_with<N: Numeric, P: Real>(
        &self,
        batch: &Batch,
        starts: &[f64],
    ) -> Result<Forward, WorkloadError> {
        let (b, d) = (self.shape.batch, self.shape.slot_dim);
        let circle = self.circle::<P>();
        let mut acts = Activations::new(&self.shape)?;
        let mut tape = Tape::new(&self.shape)?;
        let mut features = memory::zeroed("the readout", b * d)?;
        let mut logits = memory::zeroed("the logits", b * CLASSES)?;

        self.sense::<N>(batch, &mut acts)?;
        tape.start();
        let mut operand = memory::zeroed("the hidden state", b * d)?;
        let mut states: Vec<State> = starts.iter().map(|&u| circle.start(u)).collect();
        let mut moved = 0.0;
        for t in 0..self.shape.synth_len {
            let pointers = token_mut(&mut acts.pointers, t, b);
            pointers.iter_mut().zip(&states).for_each(|(p, s)| *p = s.p);
            self.token::<N, P>(t, &tape, &mut operand, &mut acts);
            moved += self.steer(t, &acts, &circle, &mut states);
            // The last token's write is never read as a whole: the readout adds its own rows.
            if t + 1 < self.shape.synth_len {
                self.write(t, &acts, &circle, tape.advance());
            }
        }
        let slots: Vec<usize> = states.iter().map(|s| circle.slot(s.p)).collect();
        self.gather::<N, P>(&acts, &tape, &slots, &mut features);
        let weights = self.product_weights();
        readout::forward(weights, &self.layout.readout, &slots, &features, &mut logits);
        Ok(Forward {
            loss: readout::loss(&logits, &batch.labels),
            move_penalty: moved / self.shape.tokens() as f64,
            acts,
            tape,
            features,
            logits,
            slots,
        })
    }

    pub(crate) fn circle<P: Real>(&self) -> Circle<'_, P> {
        Circle::new(
            self.shape.ring_len,
            &self.weights[self.layout.theta_ptr.clone()],
            &self.weights[self.layout.theta_gate.clone()],
        )
    }

    /// How much of what is read reaches the cell.
    pub(crate) fn context_gain(&self) -> f32 {
        sigmoid(self.weights[self.layout.context_logit])
    }

    /// The sensory path, which does not depend on the ring, and its bridge to the main cell.
    fn sense<N: Numeric>(
        &self,
        batch: &Batch,
        acts: &mut Activations,
    ) -> Result<(), WorkloadError> {
        let (b, s) = (self.shape.batch, self.shape.sensory);
        let weights = self.product_weights();
        let cell = Cell::new(weights, &self.layout.sensory_gru, s);
        linear::forward(weights, &self.layout.sensory_in, &batch.x, &mut acts.sensory_in);
        tanh_all::<N>(&mut acts.sensory_in);
        acts.sensory_x.copy_from_slice(&acts.sensory_in);
        let mut operand = memory::zeroed("the sensory state", b * s)?;
        for t in 0..self.shape.synth_len {
            let x = token_mut(&mut acts.sensory_x, t, b * s);
            if let Some(echo) = t.checked_sub(self.shape.sensory_delay) {
                let echo = token(&acts.sensory, echo + 1, b * s);
                x.iter_mut().zip(echo).for_each(|(x, e)| *x = N::round(*x + e));
            }
            let (state, next) = around(&mut acts.sensory, t, b * s);
            let gates = token_mut(&mut acts.sensory_gates, t, b * 4 * s);
            cell.forward::<N>((x, state), &mut operand, gates, next);
        }
        // From here on the states are operands of products only.
        N::round_all(&mut acts.sensory);
        linear::forward(weights, &self.layout.bridge, &acts.sensory[b * s..], &mut acts.bridged);
        tanh_all::<N>(&mut acts.bridged);
        Ok(())
    }

    /// Reads the ring, updates the hidden state, and evaluates the scalar heads of token `t`.
    fn token<N: Numeric, P: Real>(
        &self,
        t: usize,
        tape: &Tape,
        operand: &mut [f32],
        acts: &mut Activations,
    ) {
        let (b, d) = (self.shape.batch, self.shape.slot_dim);
        let circle = self.circle::<P>();
        let gain = self.context_gain();
        let samples = tape
            .state(t)
            .par_chunks_exact(self.shape.ring_len * d)
            .zip(token(&acts.pointers, t, b))
            .zip(token(&acts.bridged, t, b * d).par_chunks_exact(d))
            .zip(token_mut(&mut acts.x, t, b * d).par_chunks_exact_mut(d));
        samples.for_each(|(((ring, &p), inp), x)| {
            ring::read(ring, &circle.taps(p), x);
            x.iter_mut().zip(inp).for_each(|(x, i)| *x = N::round(i + gain * *x));
        });
        let weights = self.product_weights();
        let (state, next) = around(&mut acts.hidden, t, b * d);
        let x = token(&acts.x, t, b * d);
        let gates = token_mut(&mut acts.gates, t, b * 4 * d);
        Cell::new(weights, &self.layout.gru, d).forward::<N>((x, state), operand, gates, next);
        let heads = token_mut(&mut acts.heads, t, b * 4);
        linear::forward(&self.weights, &self.layout.heads, next, heads);
    }

    /// Moves every pointer; returns the sum of the distances.
    fn steer<P: Real>(
        &self,
        t: usize,
        acts: &Activations,
        circle: &Circle<'_, P>,
        states: &mut [State],
    ) -> f64 {
        let mut moved = 0.0;
        for (b, state) in states.iter_mut().enumerate() {
            let (next, distance) = circle.advance(*state, self.heads_at(t, b, acts));
            *state = next;
            moved += distance;
        }
        moved
    }

    /// The raw heads that move sample `b` at token `t`, or none where the pointer is held.
    pub(crate) fn heads_at(&self, t: usize, b: usize, acts: &Activations) -> Option<Heads> {
        let at = (t * self.shape.batch + b) * 4;
        t.is_multiple_of(self.shape.ptr_update_every)
            .then(|| std::array::from_fn(|k| acts.heads[at + k]))
    }

    /// Writes token `t`'s hidden state around its pointers.
    fn write<P: Real>(
        &self,
        t: usize,
        acts: &Activations,
        circle: &Circle<'_, P>,
        state: &mut [f32],
    ) {
        let (b, d) = (self.shape.batch, self.shape.slot_dim);
        let samples = state
            .par_chunks_exact_mut(self.shape.ring_len * d)
            .zip(token(&acts.pointers, t, b))
            .zip(token(&acts.hidden, t + 1, b * d).par_chunks_exact(d));
        samples.for_each(|((ring, &p), h)| ring::scatter(ring, &circle.taps(p), h));
    }

    /// The readout's features: each sample's last slot after the last write, and its hidden state.
    fn gather<N: Numeric, P: Real>(
        &self,
        acts: &Activations,
        tape: &Tape,
        slots: &[usize],
        features: &mut [f32],
    ) {
        let (b, r, d) = (self.shape.batch, self.shape.ring_len, self.shape.slot_dim);
        let last = self.shape.synth_len - 1;
        let circle = self.circle::<P>();
        let state = tape.state(last);
        let hidden = token(&acts.hidden, last + 1, b * d);
        let pointers = token(&acts.pointers, last, b);
        for (i, features) in features.chunks_exact_mut(d).enumerate() {
            let (slot, h) = (slots[i], &hidden[i * d..(i + 1) * d]);
            features.copy_from_slice(ring::row(state, i * r + slot, d));
            let taps = circle.taps(pointers[i]);
            let hits = taps.slots.iter().zip(taps.weights).filter(|(s, _)| **s == slot);
            hits.for_each(|(_, weight)| ring::axpy(weight, h, features));
            ring::axpy(1.0, h, features);
            N::round_all(features);
        }
    }
}

fn tanh_all<N: Numeric>(values: &mut [f32]) {
    values.par_iter_mut().for_each(|v| *v = N::round(v.tanh()));
}
