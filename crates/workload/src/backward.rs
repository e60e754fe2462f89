//! The hand-written backward of [`Model::forward`].
//!
//! candle's autograd keeps a chain of partial sums for a weight that every token uses, and a
//! zero-filled copy of the ring state per use. Here the gradient of the ring state is one buffer
//! updated in place, and weight gradients are taken from all tokens at once.

use vram_metrics::Phase;

use crate::backend::Stages;
use crate::forward::Results;
use crate::shape::TAPS;
use crate::{Batch, Forward, Gradients, LossScale, Model, Shape, WorkloadError};

/// What backward allocates: alive from its start to its end.
#[derive(Debug)]
pub struct Workspace<B: Stages> {
    /// Gradient of the ring state, `[B,R,D]`: the one whole state besides the tape.
    pub(crate) d_ring: B::Buf<f32>,
    /// Gradients of the hidden state, of the one before, of the cell's input: `[B,D]` each.
    pub(crate) d_hidden: B::Buf<f32>,
    pub(crate) d_before: B::Buf<f32>,
    pub(crate) d_x: B::Buf<f32>,
    /// Gradients of the tap weights, `[B,5]`, and of the context's gain, `[B]`: per sample, so
    /// that they are summed in the same order in every run.
    pub(crate) d_taps: B::Buf<f32>,
    pub(crate) d_gain: B::Buf<f32>,
    /// Gradients of the pointers and of their residuals, `[B,2]`.
    pub(crate) d_pointer: B::Buf<f64>,
    /// Gradients of the rounded targets, `[T,B]`.
    pub(crate) d_target: B::Buf<f32>,
    /// Gradients of the sensory states, `[T,B,S]`.
    pub(crate) d_sensory: B::Buf<f32>,
    /// The same three of the sensory cell, `[B,S]` each.
    pub(crate) d_sense: B::Buf<f32>,
    pub(crate) d_sense_before: B::Buf<f32>,
    pub(crate) d_sense_x: B::Buf<f32>,
}

impl<B: Stages> Workspace<B> {
    fn new(backend: &B, shape: &Shape) -> Result<Self, WorkloadError> {
        let (b, d, s) = (shape.batch, shape.slot_dim, shape.sensory);
        let floats = |len: usize| backend.zeroed("backward's workspace", len);
        Ok(Self {
            d_ring: backend.zeroed("the ring state's gradient", shape.state_len())?,
            d_hidden: floats(b * d)?,
            d_before: floats(b * d)?,
            d_x: floats(b * d)?,
            d_taps: floats(b * TAPS)?,
            d_gain: floats(b)?,
            d_pointer: backend.zeroed("backward's workspace", 2 * b)?,
            d_target: floats(shape.tokens())?,
            d_sensory: floats(shape.tokens() * s)?,
            d_sense: floats(b * s)?,
            d_sense_before: floats(b * s)?,
            d_sense_x: floats(b * s)?,
        })
    }
}

impl<B: Stages> Model<B> {
    /// Gradients of `scale * loss` into `grads`. Calls `mark` with [`Phase::BackwardPeak`] while
    /// everything it holds is alive.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if its workspace does not fit, [`WorkloadError::Device`] if
    /// the device fails.
    pub fn backward(
        &self,
        batch: &Batch<B>,
        forward: Forward<B>,
        grads: &mut Gradients<B>,
        scale: &LossScale<B>,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<(), WorkloadError> {
        self.backward_to_results(batch, forward, grads, scale, mark).map(|_| ())
    }

    /// As [`Model::backward`]; keeps what forward came to.
    pub(crate) fn backward_to_results(
        &self,
        batch: &Batch<B>,
        mut forward: Forward<B>,
        grads: &mut Gradients<B>,
        scale: &LossScale<B>,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<Results<B>, WorkloadError> {
        let mut work = Workspace::new(&self.backend, &self.shape)?;
        B::leave(self, batch, &mut forward, grads, scale, &mut work)?;
        for t in (0..self.shape.synth_len).rev() {
            B::turn_back(self, &mut forward, &mut work, Some(t))?;
            B::cell_back(self, &mut forward, &mut work, t)?;
            std::mem::swap(&mut work.d_hidden, &mut work.d_before);
        }
        B::turn_back(self, &mut forward, &mut work, None)?;
        B::collect(self, &mut forward, grads, &mut work)?;
        B::unsense(self, batch, &mut forward, grads, &mut work)?;
        mark(Phase::BackwardPeak);
        Ok(forward.results)
    }
}
