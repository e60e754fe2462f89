//! The hand-written backward of [`Model::forward`].
//!
//! candle's autograd keeps a chain of partial sums for a weight that every token uses, and a
//! zero-filled copy of the ring state per use. Here the gradient of the ring state is one buffer
//! updated in place, and weight gradients are taken from all tokens at once.

use vram_metrics::Phase;

use crate::backend::Stages;
use crate::forward::Results;
use crate::item::dims::{B, D, K, R, S, T, TWO};
use crate::item::{Class, Dim, Item};
use crate::{Batch, Forward, Gradients, LossScale, Model, Shape, WorkloadError};

/// What backward allocates: alive from its start to its end.
#[derive(Debug)]
pub struct Workspace<X: Stages> {
    /// Gradient of the ring state, `[B,R,D]`: the one whole state besides the tape.
    pub(crate) d_ring: X::Buf<f32>,
    /// Gradients of the hidden state, of the one before, of the cell's input: `[B,D]` each.
    pub(crate) d_hidden: X::Buf<f32>,
    pub(crate) d_before: X::Buf<f32>,
    pub(crate) d_x: X::Buf<f32>,
    /// Gradients of the tap weights, `[B,5]`, and of the context's gain, `[B]`: per sample, so
    /// that they are summed in the same order in every run.
    pub(crate) d_taps: X::Buf<f32>,
    pub(crate) d_gain: X::Buf<f32>,
    /// Gradients of the pointers and of their residuals, `[B,2]`.
    pub(crate) d_pointer: X::Buf<f64>,
    /// Gradients of the rounded targets, `[T,B]`.
    pub(crate) d_target: X::Buf<f32>,
    /// Gradients of the sensory states, `[T,B,S]`.
    pub(crate) d_sensory: X::Buf<f32>,
    /// The same three of the sensory cell, `[B,S]` each.
    pub(crate) d_sense: X::Buf<f32>,
    pub(crate) d_sense_before: X::Buf<f32>,
    pub(crate) d_sense_x: X::Buf<f32>,
}

const fn work(name: &'static str, dims: &'static [Dim]) -> Item {
    Item::new(Class::Workspace, name, dims)
}

const D_RING: Item = Item::new(Class::RingGradient, "gradient of the ring state", &[B, R, D]);
const D_HIDDEN: Item = work("gradient of the hidden state", &[B, D]);
const D_BEFORE: Item = work("gradient of the hidden state before", &[B, D]);
const D_X: Item = work("gradient of the cell's input", &[B, D]);
const D_TAPS: Item = work("gradients of the taps", &[B, K]);
const D_GAIN: Item = work("gradients of the gain", &[B]);
const D_POINTER: Item = work("gradients of the pointers", &[TWO, B]);
const D_TARGET: Item = work("gradients of the targets", &[T, B]);
const D_SENSORY: Item = work("gradients of the sensory states", &[T, B, S]);
const D_SENSE: Item = work("gradient of the sensory state", &[B, S]);
const D_SENSE_BEFORE: Item = work("gradient of the sensory state before", &[B, S]);
const D_SENSE_X: Item = work("gradient of the sensory cell's input", &[B, S]);

impl<X: Stages> Workspace<X> {
    fn new(backend: &X, shape: &Shape) -> Result<Self, WorkloadError> {
        let floats = |item: &Item| backend.zeroed(item, shape);
        Ok(Self {
            d_ring: floats(&D_RING)?,
            d_hidden: floats(&D_HIDDEN)?,
            d_before: floats(&D_BEFORE)?,
            d_x: floats(&D_X)?,
            d_taps: floats(&D_TAPS)?,
            d_gain: floats(&D_GAIN)?,
            d_pointer: backend.zeroed(&D_POINTER, shape)?,
            d_target: floats(&D_TARGET)?,
            d_sensory: floats(&D_SENSORY)?,
            d_sense: floats(&D_SENSE)?,
            d_sense_before: floats(&D_SENSE_BEFORE)?,
            d_sense_x: floats(&D_SENSE_X)?,
        })
    }
}

impl<X: Stages> Model<X> {
    /// Gradients of `scale * loss` into `grads`. Calls `mark` with [`Phase::BackwardPeak`] while
    /// everything it holds is alive.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if its workspace does not fit, [`WorkloadError::Device`] if
    /// the device fails.
    pub fn backward(
        &self,
        batch: &Batch<X>,
        forward: Forward<X>,
        grads: &mut Gradients<X>,
        scale: &LossScale<X>,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<(), WorkloadError> {
        self.backward_to_results(batch, forward, grads, scale, mark).map(|_| ())
    }

    /// As [`Model::backward`]; keeps what forward came to.
    pub(crate) fn backward_to_results(
        &self,
        batch: &Batch<X>,
        mut forward: Forward<X>,
        grads: &mut Gradients<X>,
        scale: &LossScale<X>,
        mark: &mut dyn FnMut(Phase),
    ) -> Result<Results<X>, WorkloadError> {
        let mut work = Workspace::new(&self.backend, &self.shape)?;
        X::leave(self, batch, &mut forward, grads, scale, &mut work)?;
        for t in (0..self.shape.synth_len).rev() {
            X::turn_back(self, &mut forward, &mut work, Some(t))?;
            X::cell_back(self, &mut forward, &mut work, t)?;
            std::mem::swap(&mut work.d_hidden, &mut work.d_before);
        }
        X::turn_back(self, &mut forward, &mut work, None)?;
        X::collect(self, &mut forward, grads, &mut work)?;
        X::unsense(self, batch, &mut forward, grads, &mut work)?;
        mark(Phase::BackwardPeak);
        Ok(forward.results)
    }
}
