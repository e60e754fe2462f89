//! The hand-written backward of the fused forward.
//!
//! candle's autograd keeps a chain of partial sums for a weight that every token uses, and a
//! zero-filled copy of the ring state per use. Here the gradient of the ring state is one buffer
//! updated in place, and weight gradients are taken from all tokens at once.

use std::mem::swap;
use std::ops::Range;

use vram_metrics::phase::Phase;

use super::batch::Batch;
use super::forward::{Forward, Results};
use super::fused::{FusedStep, StepResults};
use super::gradients::FlatGradients;
use super::loss_scale::LossScale;
use super::workspace::Workspace;
use crate::error::WorkloadError;
use crate::memory::buffer::{TensorRead, View, ViewMut};
use crate::memory::context::Context;
use crate::model::od1::Od1;
use crate::ops::backward_chain::BackwardChain;
use crate::ops::check_gradients::CheckGradients;
use crate::ops::field_gradients::{ContextGradient, FieldGradients};
use crate::ops::gru_backward::GruBackward;
use crate::ops::loss_scale::UpdateLossScale;

use crate::ops::readout_backward::{MarkReached, ReadoutBackward, ReadoutWeightGradients};
use crate::ops::ring_step::RingToken;
use crate::ops::ring_step_backward::RingStepBackward;
use crate::ops::sensory_inputs::RoundAll;
use crate::ops::weight_gradients::WeightGradients;
use crate::ops::weights::Weights;
use crate::parameters::at;
use crate::shape::{Compute, Shape};

pub(super) type Done = Result<(), WorkloadError>;

/// What every stage of a backward pass is given.
pub(super) struct Pass<'a> {
    pub(super) context: &'a Context,
    model: &'a Od1,
    pub(super) shape: &'a Shape,
    pub(super) weights: &'a Weights<'a>,
    pub(super) work: Workspace,
}

impl FusedStep {
    /// Gradients of the loss, from a forward pass of `batch`, and the scale moved by what was found
    /// in them. Calls `mark` with [`Phase::BackwardPeak`] while everything it holds is alive.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if its workspace does not fit, [`WorkloadError::Device`] if
    /// the device fails.
    pub fn backward(
        &self,
        batch: &Batch,
        mut forward: Forward,
        scale: &mut LossScale,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<StepResults, WorkloadError> {
        let (context, model) = (&self.context, &self.model);
        let work = Workspace::new(context, model.shape())?;
        let work =
            context.run_all(|| self.all_tokens_backward(batch, &mut forward, scale, work))?;
        mark(Phase::BackwardPeak);
        drop(work);
        let Forward { mut grads, results, .. } = forward;
        context.run_all(|| self.finish(&mut grads, scale))?;
        let Results { loss, move_penalty, logits, ptr_int, state_loop, live } = results;
        let gradients = grads.into_gradients(context, model)?;
        Ok(StepResults { loss, move_penalty, logits, ptr_int, state_loop, gradients, _live: live })
    }

    /// The gradients that `forward` holds, and the workspace that they took.
    fn all_tokens_backward(
        &self,
        batch: &Batch,
        forward: &mut Forward,
        scale: &LossScale,
        work: Workspace,
    ) -> Result<Workspace, WorkloadError> {
        let (context, model) = (&self.context, &self.model);
        let (shape, weights) = (model.shape(), self.weights()?);
        let mut pass = Pass { context, model, shape, weights: &weights, work };
        pass.readout_backward(self, batch, forward, scale)?;
        pass.tokens_backward(forward)?;
        pass.accumulate_weight_grads(forward)?;
        context.join()?;
        pass.sensory_weight_grads(forward)?;
        Ok(pass.work)
    }

    /// Undoes the loss scale, finds what is not finite, and moves the scale.
    fn finish(&self, grads: &mut FlatGradients, scale: &mut LossScale) -> Done {
        let len = grads.values.len();
        let factor = TensorRead::new("loss scale", &scale.state)?;
        self.context.run(CheckGradients {
            grads: grads.values.view_mut(),
            found: grads.found.view_mut(),
            scale: factor.view()?,
            len,
        })?;
        // The variable is written next.
        drop(factor);
        if scale.dynamic {
            let (found, state) = (grads.found.view(), &scale.state);
            self.context.run(UpdateLossScale { found, state })?;
        }
        Ok(())
    }
}

impl Pass<'_> {
    /// Where a parameter's gradient lies in the flat buffer.
    fn range(&self, place: usize) -> Range<usize> {
        self.model.parameters()[place].range.clone()
    }

    /// The gradients of the readout, of the last hidden state and of the ring's rows that were read
    /// out, and which parameters that reaches.
    fn readout_backward(
        &mut self,
        step: &FusedStep,
        batch: &Batch,
        forward: &mut Forward,
        scale: &LossScale,
    ) -> Done {
        let Self { context, shape, weights, work, .. } = self;
        let (heads, d) = (shape.out_dim, shape.slot_dim);
        let logits = TensorRead::new("logits", &forward.results.logits)?;
        let slots = TensorRead::new("last slots", &forward.results.ptr_int)?;
        let labels = TensorRead::new("y", &batch.y)?;
        let scale = TensorRead::new("loss scale", &scale.state)?;
        let reached = forward.grads.reached.view_mut();
        context.run(MarkReached { slots: slots.view()?, reached, heads, batch: shape.batch })?;
        context.run(ReadoutBackward {
            shape,
            weights: step.head_weights(&weights.readout()?),
            logits: logits.view()?,
            slots: slots.view()?,
            labels: labels.view()?,
            scale: scale.view()?,
            d_logits: work.d_logits.view_mut(),
            d_hidden: work.d_hidden.view_mut(),
            d_ring: work.d_ring.view_mut(),
        })?;
        let all = forward.grads.values.len();
        let first = self.model.parameters()[at::READOUT].range.start;
        context.run(ReadoutWeightGradients {
            d_logits: work.d_logits.view(),
            features: forward.features.view(),
            slots: slots.view()?,
            grads: forward.grads.values.view_mut().slice(first..all),
            heads,
            batch: shape.batch,
            slot_dim: d,
        })
    }

    /// All tokens, from the last to the first: as one launch, beside which the sensory path follows, or
    /// each for itself.
    fn tokens_backward(&mut self, forward: &mut Forward) -> Done {
        let cell = self.weights.cell(at::GRU)?;
        let last = self.shape.synth_len - 1;
        let context = self.context;
        let ring = self.ring_step(forward, Some(last), true)?;
        let is_chained = context.run_at_once(BackwardChain { ring, cell })?;
        if !is_chained {
            for t in (0..=last).rev() {
                context.run(self.ring_step(forward, Some(t), false)?)?;
                self.cell_backward(forward, t)?;
                swap(&mut self.work.d_hidden, &mut self.work.d_before);
            }
        }
        let rest = self.sensory_beside(forward, is_chained)?;
        context.run(self.ring_step(forward, None, false)?)?;
        context.fork()?;
        self.sensory_backward(&context.beside(), forward, 0..rest)
    }

    /// Backward of the ring step, down to the gradients of token `from`'s gates, from what the tape
    /// holds of the next token or, for a chain, of all.
    fn ring_step<'a>(
        &'a mut self,
        forward: &'a mut Forward,
        from: Option<usize>,
        is_chain: bool,
    ) -> Result<RingStepBackward<'a>, WorkloadError> {
        let Self { shape, weights, work, .. } = self;
        let Forward { tape, acts, .. } = forward;
        let token = RingToken { shape, steering: weights.steering()?, from };
        let read = match is_chain {
            true => Some(tape.all()),
            false => token.reads().then(|| tape.view(token.next())),
        };
        Ok(RingStepBackward {
            token,
            read,
            pointers: acts.pointers.view(),
            hidden: acts.hidden.view(),
            heads: acts.heads.view_mut(),
            bridged: acts.bridged.view_mut(),
            gates: acts.gates.view_mut(),
            d_ring: work.d_ring.view_mut(),
            d_hidden: work.d_hidden.view_mut(),
            d_before: work.d_before.view_mut(),
            d_x: work.d_x.view_mut(),
            d_taps: work.d_taps.view_mut(),
            d_gain: work.d_gain.view_mut(),
            d_pointer: work.d_pointer.view_mut(),
            d_target: work.d_target.view_mut(),
        })
    }

    /// From the gradients of token `t`'s gates to those of the cell's input and of the hidden state
    /// before it.
    fn cell_backward(&mut self, forward: &mut Forward, t: usize) -> Done {
        let Self { context, shape, weights, work, .. } = self;
        let len = shape.batch * 4 * shape.slot_dim;
        context.run(GruBackward {
            cell: weights.cell(at::GRU)?,
            gates: forward.acts.gates.token(t, len),
            dx: work.d_x.view_mut(),
            dh_before: work.d_before.view_mut(),
            batch: shape.batch,
            compute: shape.compute,
        })
    }

    /// Gradients of the fields, the context's gain, the heads and the main cell, from all tokens.
    fn accumulate_weight_grads(&mut self, forward: &mut Forward) -> Done {
        let (shape, acts) = (self.shape, &mut forward.acts);
        let (b, d, rows) = (shape.batch, shape.slot_dim, shape.tokens());
        let (ptr, gate) = (self.range(at::THETA_PTR), self.range(at::THETA_GATE));
        let values = &mut forward.grads.values;
        let (d_theta_ptr, d_theta_gate) = two(values.view_mut(), ptr, gate);
        self.context.run(FieldGradients {
            theta_ptr: self.weights.single(at::THETA_PTR)?,
            theta_gate: self.weights.single(at::THETA_GATE)?,
            pointers: acts.pointers.view().slice(0..rows),
            d_heads: acts.heads.view(),
            d_target: self.work.d_target.view(),
            d_theta_ptr,
            d_theta_gate,
            moves: rows,
            ring_len: shape.ring_len,
            pointer: shape.pointer,
        })?;
        self.context.run(ContextGradient {
            context_logit: self.weights.single(at::CONTEXT)?,
            d_gain: self.work.d_gain.view(),
            d_context_logit: values.view_mut().slice(self.range(at::CONTEXT)),
            batch: b,
        })?;
        // The four scalar heads lie in a row: one layer [4,D].
        let weights = self.range(at::HEADS).start..self.range(at::HEADS + 3).end;
        let biases = self.range(at::HEADS + 4).start..self.range(at::HEADS + 7).end;
        let (weight, bias) = two(values.view_mut(), weights, biases);
        let states = acts.hidden.len();
        self.context.run(WeightGradients {
            dy: acts.heads.view(),
            stride: 4,
            x: acts.hidden.view().slice(b * d..states),
            weight,
            bias,
            rows,
            outputs: 4,
            inputs: d,
            // They steer the pointer and are not rounded in any mode.
            operands: Compute::Fp32,
        })?;
        // From here on the hidden states are operands of products only.
        let (values, compute) = (acts.hidden.view_mut(), shape.compute);
        self.context.run(RoundAll { values, len: states, compute })?;
        let before = acts.hidden.view().slice(0..states - b * d);
        let operands = (acts.gates.view(), acts.x.view(), before);
        self.cell_weight_grads(&mut forward.grads, at::GRU, operands)
    }

    /// Gradients of a cell's weights and biases from all tokens: `gates [T*B,4W]` hold those of the
    /// pre-activations, `x` and `hidden` `[T*B,W]` are the operands of the two products. All have been
    /// rounded to the mode's numbers.
    pub(super) fn cell_weight_grads(
        &self,
        grads: &mut FlatGradients,
        place: usize,
        (gates, x, hidden): (View<f32>, View<f32>, View<f32>),
    ) -> Done {
        let w = self.model.parameters()[place].dims[1];
        let rows = self.shape.tokens();
        let end = rows * 4 * w;
        let (ih, hh) = (self.range(place), self.range(place + 1));
        let (bias_ih, bias_hh) = (self.range(place + 2), self.range(place + 3));
        // The candidate's hidden product has a gradient of its own, after the other three.
        let (gate_rows, candidate) = split(hh, 2 * w * w);
        let (gate_bias, candidate_bias) = split(bias_hh, 2 * w);
        let products = [
            (0, 3 * w, x, ih, bias_ih),
            (0, 2 * w, hidden, gate_rows, gate_bias),
            (3 * w, w, hidden, candidate, candidate_bias),
        ];
        for (first, outputs, x, weight, bias) in products {
            let (weight, bias) = two(grads.values.view_mut(), weight, bias);
            let dy = gates.slice(first..end);
            let (stride, inputs) = (4 * w, w);
            self.context.run(WeightGradients {
                dy,
                stride,
                x,
                weight,
                bias,
                rows,
                outputs,
                inputs,
                operands: self.shape.compute,
            })?;
        }
        Ok(())
    }

    /// Gradients of the layer whose weight is at `place` and whose bias follows, from the gradients of
    /// its outputs and from its inputs, rounded to the mode's numbers.
    pub(super) fn layer_weight_grads(
        &self,
        grads: &mut FlatGradients,
        place: usize,
        (dy, x): (View<f32>, View<f32>),
    ) -> Done {
        let dims = &self.model.parameters()[place].dims;
        let (outputs, inputs) = (dims[0], dims[1]);
        let (weight, bias) = two(grads.values.view_mut(), self.range(place), self.range(place + 1));
        let rows = self.shape.tokens();
        self.context.run(WeightGradients {
            dy,
            stride: outputs,
            x,
            weight,
            bias,
            rows,
            outputs,
            inputs,
            operands: self.shape.compute,
        })
    }
}

/// Two ranges of one buffer, the first before the second.
fn two(all: ViewMut<f32>, low: Range<usize>, high: Range<usize>) -> (ViewMut<f32>, ViewMut<f32>) {
    let (left, right) = all.split_at(high.start);
    (left.slice(low), right.slice(0..high.len()))
}

fn split(range: Range<usize>, at: usize) -> (Range<usize>, Range<usize>) {
    (range.start..range.start + at, range.start + at..range.end)
}
