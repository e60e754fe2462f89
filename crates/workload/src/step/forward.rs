//! The fused forward: all tokens of a step, and what backward needs of them.

use std::ops::Range;

use candle_core::{DType, Tensor};

use super::activations::Activations;
use super::batch::Batch;
use super::fused::FusedStep;
use super::gradients::FlatGradients;
use super::tape::Tape;
use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::Extent;
use crate::extent::names::{B, C, D, R};
use crate::memory::buffer::{Buffer, TensorRead};
use crate::memory::context::Context;
use crate::memory::log::AllocationGuard;
use crate::model::state_loop::StateLoop;
use crate::ops::forward_chain::ForwardChain;
use crate::ops::gru_forward::GruForward;
use crate::ops::pointer_start::PointerStart;
use crate::ops::readout::{Means, Readout};
use crate::ops::readout_features::ReadoutFeatures;
use crate::ops::ring_step::{RingStep, RingToken};
use crate::ops::state_loop::{COUNTS, WatchModes};
use crate::ops::weights::Weights;
use crate::parameters::at;
use crate::shape::{CLASSES, Shape};
use crate::tensor_check::check;

/// One fused forward pass: its results, and everything backward needs.
#[derive(Debug)]
pub struct Forward {
    pub(crate) tape: Tape,
    pub(crate) acts: Activations,
    /// `[B,D]`
    pub(crate) features: Buffer<f32>,
    pub(crate) grads: FlatGradients,
    pub(crate) results: Results,
    shape: Shape,
}

/// What a forward pass came to, on its device.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) loss: Tensor,
    pub(crate) move_penalty: Tensor,
    /// `[B,C]`
    pub(crate) logits: Tensor,
    /// The slot each sample's pointer ends on, `[B]`.
    pub(crate) ptr_int: Tensor,
    pub(crate) state_loop: Option<StateLoop>,
    pub(crate) live: Vec<Option<AllocationGuard>>,
}

const fn readout(name: &'static str, extents: &'static [Extent]) -> BufferSpec {
    BufferSpec::new(BufferKind::Readout, name, extents)
}

const STATE: BufferSpec = BufferSpec::new(BufferKind::RingState, "ring state", &[B, R, D]);
const FEATURES: BufferSpec = readout("features", &[B, D]);
const LOGITS: BufferSpec = readout("logits", &[B, C]);
const SLOTS: BufferSpec = readout("last slots", &[B]);
const LOSSES: BufferSpec = readout("losses", &[B]);
const LOSS: BufferSpec = readout("loss", &[]);
const MOVE_PENALTY: BufferSpec = readout("move penalty", &[]);
const MODE_COUNTS: BufferSpec =
    readout("counts of the state loop", &[Extent::Watched, Extent::Times(COUNTS as u64)]);

impl Forward {
    /// Mean cross-entropy of the last token's logits, `[]` in f32.
    pub fn loss(&self) -> &Tensor {
        &self.results.loss
    }

    /// Mean distance, in slots, that a pointer moved per token, `[]` in f64. Not part of the loss.
    pub fn move_penalty(&self) -> &Tensor {
        &self.results.move_penalty
    }

    /// The slot each sample's pointer ends on, `[B]` in u32.
    pub fn ptr_int(&self) -> &Tensor {
        &self.results.ptr_int
    }

    /// The last token's logits, `[B,C]` in f32.
    pub fn logits(&self) -> &Tensor {
        &self.results.logits
    }

    /// What backward will read of the ring.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// What backward will read of the ring, to be changed.
    pub fn tape_mut(&mut self) -> &mut Tape {
        &mut self.tape
    }

    /// The hidden state after token `t`, `[B,D]` row-major, in host memory.
    ///
    /// # Errors
    ///
    /// If the device does not give it out.
    ///
    /// # Panics
    ///
    /// If there is no token `t`.
    pub fn hidden(&self, t: usize) -> Result<Vec<f32>, WorkloadError> {
        assert!(t < self.tape.len(), "no token {t} in this step");
        let len = self.shape.slot_dim * self.shape.batch;
        self.acts.hidden.read((t + 1) * len..(t + 2) * len)
    }

    /// The pointers before token `t`, `[B]`, in `[0,R)`, in host memory.
    ///
    /// # Errors
    ///
    /// If the device does not give them out.
    ///
    /// # Panics
    ///
    /// If there is no token `t`.
    pub fn pointers(&self, t: usize) -> Result<Vec<f64>, WorkloadError> {
        self.acts.pointers.read(t * self.shape.batch..(t + 1) * self.shape.batch)
    }
}

/// The buffers of a pass, in the order in which they are asked for.
pub(super) struct Pass<'a> {
    pub(super) context: &'a Context,
    pub(super) shape: &'a Shape,
    pub(super) weights: &'a Weights<'a>,
    tape: Tape,
    /// What the tokens read and write, `[B,R,D]`. Backward needs none of it.
    state: Buffer<f32>,
    pub(super) acts: Activations,
}

impl FusedStep {
    /// Runs all tokens of `batch`; sample b's pointer starts at `starts[b] * (R - 1)`, `[B]` in f64.
    ///
    /// # Errors
    ///
    /// As [`FusedStep::run`].
    pub fn forward(&mut self, batch: &Batch, starts: &Tensor) -> Result<Forward, WorkloadError> {
        let context = self.context.clone();
        context.run_all(|| self.all_tokens(batch, starts))
    }

    /// [`FusedStep::forward`], on the thread that its kernels are run from.
    fn all_tokens(&mut self, batch: &Batch, starts: &Tensor) -> Result<Forward, WorkloadError> {
        let shape = self.model.shape().clone();
        let device = self.model.device();
        batch.check(&shape, device)?;
        check("starts", starts, &[shape.batch], DType::F64, device)?;
        let grads = self.take_gradients()?;
        let context = self.context.clone();
        // All of forward's memory before its first kernel, the tape first: what does not fit is most
        // likely that.
        let tape = Tape::new(&context, &shape)?;
        let state = context.zeros(&STATE, &shape)?;
        let acts = Activations::new(&context, &shape)?;
        let mut readout = ReadoutBuffers::new(&context, &shape)?;
        self.cast_weights()?;
        let weights = self.weights()?;
        let (context, shape, weights) = (&context, &shape, &weights);
        let mut pass = Pass { context, shape, weights, tape, state, acts };
        let early = pass.sensory_forward(batch)?;
        pass.start(starts)?;
        pass.ring_step(None)?;
        let mut is_chained = pass.tokens_at_once(0..early)?;
        if early < shape.synth_len {
            context.join()?;
            is_chained = is_chained && pass.tokens_at_once(early..shape.synth_len)?;
        }
        for t in 0..shape.synth_len {
            if !is_chained {
                pass.cell(t)?;
                pass.ring_step(Some(t))?;
            }
            pass.tape.follow(context, shape, &pass.acts, (t, is_chained))?;
        }
        pass.readout(self, batch, &mut readout)?;
        context.join()?;
        let Pass { tape, acts, .. } = pass;
        let (features, results) = readout.into_results(shape)?;
        Ok(Forward { tape, acts, features, grads, results, shape: shape.clone() })
    }
}

impl Pass<'_> {
    /// The tape's beginning and the pointers before token 0.
    fn start(&mut self, starts: &Tensor) -> Result<(), WorkloadError> {
        let Self { context, shape, tape, acts, .. } = self;
        tape.start(context)?;
        let units = TensorRead::new("starts", starts)?;
        context.run(PointerStart {
            units: units.view()?,
            pointers: acts.pointers.token_mut(0, shape.batch),
            carry: acts.carry.view_mut(),
            ring_len: shape.ring_len,
            batch: shape.batch,
            pointer: shape.pointer,
        })
    }

    /// The cells and ring steps of some tokens as one launch. `false` where the device has no room for
    /// that.
    fn tokens_at_once(&mut self, tokens: Range<usize>) -> Result<bool, WorkloadError> {
        let Self { context, shape, weights, tape, state, acts } = self;
        let token = RingToken { shape, steering: weights.steering()?, from: Some(tokens.start) };
        let followers = tokens.end.min(shape.synth_len - 1) - tokens.start;
        let ran = context.run_at_once(ForwardChain {
            token,
            tokens,
            cell: weights.cell(at::GRU)?,
            heads: acts.heads.view_mut(),
            pointers: acts.pointers.view_mut(),
            hidden: acts.hidden.view_mut(),
            bridged: acts.bridged.view(),
            state: state.view_mut(),
            kept: tape.next_rows(followers),
            carry: acts.carry.view_mut(),
            moved: acts.moved.view_mut(),
            x: acts.x.view_mut(),
            gates: acts.gates.view_mut(),
        })?;
        if ran {
            tape.rows_written(followers);
        }
        Ok(ran)
    }

    /// Token `t`'s cell: from its input to the hidden state after it.
    fn cell(&mut self, t: usize) -> Result<(), WorkloadError> {
        let Self { context, shape, weights, acts, .. } = self;
        let len = shape.batch * shape.slot_dim;
        let (hidden, next) = acts.hidden.around(t, len);
        context.run(GruForward {
            cell: weights.cell(at::GRU)?,
            x: acts.x.token(t, len),
            hidden,
            operand: acts.operands.main(),
            gates: acts.gates.token_mut(t, 4 * len),
            next,
            batch: shape.batch,
            compute: shape.compute,
        })
    }

    /// From token `from` (none at the start) to the next: heads, write, move, and the next token's
    /// read.
    fn ring_step(&mut self, from: Option<usize>) -> Result<(), WorkloadError> {
        let Self { context, shape, weights, tape, state, acts } = self;
        let token = RingToken { shape, steering: weights.steering()?, from };
        let followers = usize::from(token.reads());
        context.run(RingStep {
            token,
            heads: acts.heads.view_mut(),
            pointers: acts.pointers.view_mut(),
            hidden: acts.hidden.view(),
            bridged: acts.bridged.view(),
            state: state.view_mut(),
            kept: tape.next_rows(followers),
            carry: acts.carry.view_mut(),
            moved: acts.moved.view_mut(),
            x: acts.x.view_mut(),
        })?;
        tape.rows_written(followers);
        Ok(())
    }

    /// Features, logits and loss.
    fn readout(
        &self,
        step: &FusedStep,
        batch: &Batch,
        to: &mut ReadoutBuffers,
    ) -> Result<(), WorkloadError> {
        let Self { context, shape, weights, state, acts, .. } = self;
        let last = shape.synth_len - 1;
        context.run(ReadoutFeatures {
            shape,
            state: state.view(),
            hidden: acts.hidden.token(last + 1, shape.batch * shape.slot_dim),
            pointers: acts.pointers.view(),
            features: to.features.view_mut(),
            slots: to.slots.view_mut(),
        })?;
        let labels = TensorRead::new("y", &batch.y)?;
        context.run(Readout {
            weights: step.head_weights(&weights.readout()?),
            features: to.features.view(),
            slots: to.slots.view(),
            labels: labels.view()?,
            logits: to.logits.view_mut(),
            losses: to.losses.view_mut(),
            batch: shape.batch,
            slot_dim: shape.slot_dim,
            compute: shape.compute,
        })?;
        if let (Some(directions), Some(counts)) = (&step.directions, &mut to.mode_counts) {
            context.run(WatchModes {
                shape,
                hidden: acts.hidden.view(),
                directions: directions.view(),
                counts: counts.view_mut(),
            })?;
        }
        context.run(Means {
            losses: to.losses.view(),
            moved: acts.moved.view(),
            loss: to.loss.view_mut(),
            move_penalty: to.move_penalty.view_mut(),
            batch: shape.batch,
            tokens: shape.synth_len,
        })
    }
}

/// What the readout writes.
struct ReadoutBuffers {
    features: Buffer<f32>,
    logits: Buffer<f32>,
    slots: Buffer<u32>,
    losses: Buffer<f32>,
    loss: Buffer<f32>,
    move_penalty: Buffer<f64>,
    mode_counts: Option<Buffer<u32>>,
}

impl ReadoutBuffers {
    fn new(context: &Context, shape: &Shape) -> Result<Self, WorkloadError> {
        Ok(Self {
            features: context.zeros(&FEATURES, shape)?,
            logits: context.zeros(&LOGITS, shape)?,
            slots: context.zeros(&SLOTS, shape)?,
            losses: context.zeros(&LOSSES, shape)?,
            loss: context.zeros(&LOSS, shape)?,
            move_penalty: context.zeros(&MOVE_PENALTY, shape)?,
            mode_counts: match shape.watched() {
                0 => None,
                _ => Some(context.zeros(&MODE_COUNTS, shape)?),
            },
        })
    }

    fn into_results(self, shape: &Shape) -> Result<(Buffer<f32>, Results), WorkloadError> {
        let (loss, loss_live) = self.loss.into_tensor(&[])?;
        let (move_penalty, move_live) = self.move_penalty.into_tensor(&[])?;
        let (logits, logits_live) = self.logits.into_tensor(&[shape.batch, CLASSES])?;
        let (ptr_int, slots_live) = self.slots.into_tensor(&[shape.batch])?;
        let mut live = vec![loss_live, move_live, logits_live, slots_live];
        let state_loop = match self.mode_counts {
            Some(counts) => {
                let (counts, counts_live) = counts.into_tensor(&[shape.watched(), COUNTS])?;
                live.push(counts_live);
                Some(StateLoop::of_samples(counts))
            }
            None => None,
        };
        let results = Results { loss, move_penalty, logits, ptr_int, state_loop, live };
        Ok((self.features, results))
    }
}
