//! Gradients of the readout: `d_logits = scale / B * (softmax(logits) - onehot(y))`, and from it
//! those of the features and of the heads that samples were routed to.

use super::matmul::InputGradient;
use super::numeric::{Numeric, in_compute};
use super::readout::{HeadWeights, log_sum_exp};
use super::ring_rows;
use super::weight_gradients::WeightGradients;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::{CLASSES, Compute, Shape};
#[cfg(feature = "cuda")]
use {
    super::readout::THREADS,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, by_compute, kernel_arguments, mode},
    crate::memory::pointer::Ptr,
};

/// `logits`, `d_logits` `[B,C]`; `slots`, `labels` `[B]`; `scale` begins with the loss scale. The
/// gradient of the features is that of the hidden state, `d_hidden [B,D]`, and is added to the rows
/// of `d_ring [B,R,D]` that were read out.
pub(crate) struct ReadoutBackward<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) weights: HeadWeights<'a>,
    pub(crate) logits: View<'a, f32>,
    pub(crate) slots: View<'a, u32>,
    pub(crate) labels: View<'a, u32>,
    pub(crate) scale: View<'a, f32>,
    pub(crate) d_logits: ViewMut<'a, f32>,
    pub(crate) d_hidden: ViewMut<'a, f32>,
    pub(crate) d_ring: ViewMut<'a, f32>,
}

impl Kernel for ReadoutBackward<'_> {
    fn cpu(self) {
        let Self { shape, weights, .. } = self;
        let (r, d) = (shape.ring_len, shape.slot_dim);
        let factor = self.scale.host()[0] / shape.batch as f32;
        let rows = self.logits.host().chunks_exact(CLASSES);
        let d_rows = self.d_logits.host().chunks_exact_mut(CLASSES);
        let (d_hidden, d_ring) = (self.d_hidden.host(), self.d_ring.host());
        let labels = self.labels.host();
        let samples = rows.zip(d_rows).zip(d_hidden.chunks_exact_mut(d)).zip(self.slots.host());
        for (b, (((row, d_row), d_features), slot)) in samples.enumerate() {
            let total = log_sum_exp(row);
            in_compute!(shape.compute, |N| {
                for (class, (g, v)) in d_row.iter_mut().zip(row).enumerate() {
                    let hit = if class == labels[b] as usize { 1.0 } else { 0.0 };
                    *g = N::round(((v - total).exp() - hit) * factor);
                }
            });
            let layer = weights.of_slot(*slot, d);
            let (dy, dx) = (View::Host(&*d_row), ViewMut::Host(&mut *d_features));
            InputGradient { layer, dy, dx, rows: 1, compute: shape.compute }.cpu();
            let at = (b * r + *slot as usize) * d;
            ring_rows::axpy(1.0, d_features, &mut d_ring[at..at + d]);
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let shape = self.shape;
        let arguments = ReadoutBackwardArguments {
            weights: self.weights.card(),
            logits: self.logits.card(),
            slots: self.slots.card(),
            labels: self.labels.card(),
            scale: self.scale.card(),
            d_logits: self.d_logits.card(),
            d_hidden: self.d_hidden.card(),
            d_ring: self.d_ring.card(),
            heads: self.weights.count() as i32,
            batch: shape.batch as i32,
            ring_len: shape.ring_len as i32,
            slot_dim: shape.slot_dim as i32,
            mode: mode(shape.compute),
            padding: 0,
        };
        let grid = Grid { blocks: (shape.batch, 1), threads: THREADS };
        // SAFETY: one row or element a sample; the table holds every head.
        unsafe { card.launch(by_compute!(shape.compute, "readout_backward"), grid, arguments) }
    }
}

/// Gradients of the heads' weights and biases, added to `grads`: every head's weight `[C,D]` and
/// bias `[C]` in turn. Samples are taken in their order.
pub(crate) struct ReadoutWeightGradients<'a> {
    pub(crate) d_logits: View<'a, f32>,
    pub(crate) features: View<'a, f32>,
    pub(crate) slots: View<'a, u32>,
    pub(crate) grads: ViewMut<'a, f32>,
    pub(crate) heads: usize,
    pub(crate) batch: usize,
    pub(crate) slot_dim: usize,
}

impl Kernel for ReadoutWeightGradients<'_> {
    fn cpu(self) {
        let d = self.slot_dim;
        let (d_logits, features, grads) =
            (self.d_logits.host(), self.features.host(), self.grads.host());
        for (b, slot) in self.slots.host().iter().enumerate().take(self.batch) {
            let head = CLASSES * (d + 1) * (*slot as usize % self.heads);
            let (weight, bias) = grads[head..head + CLASSES * (d + 1)].split_at_mut(CLASSES * d);
            WeightGradients {
                dy: View::Host(&d_logits[b * CLASSES..(b + 1) * CLASSES]),
                stride: CLASSES,
                x: View::Host(&features[b * d..(b + 1) * d]),
                weight: ViewMut::Host(weight),
                bias: ViewMut::Host(bias),
                rows: 1,
                outputs: CLASSES,
                inputs: d,
                operands: Compute::Fp32,
            }
            .cpu();
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = ReadoutWeightGradientsArguments {
            d_logits: self.d_logits.card(),
            features: self.features.card(),
            slots: self.slots.card(),
            grads: self.grads.card(),
            heads: self.heads as i32,
            batch: self.batch as i32,
            slot_dim: self.slot_dim as i32,
            padding: 0,
        };
        let grid = Grid { blocks: (CLASSES, 1), threads: 256 };
        // SAFETY: one row or element a sample; `grads` holds every head.
        unsafe { card.launch("readout_weight_gradients", grid, arguments) }
    }
}

/// Which parameters a step's backward reaches, 0 or 1 each: `reached [N]`, of which the last two of
/// every head's are written, from the slots `[B]` that samples ended on.
pub(crate) struct MarkReached<'a> {
    pub(crate) slots: View<'a, u32>,
    pub(crate) reached: ViewMut<'a, u32>,
    pub(crate) heads: usize,
    pub(crate) batch: usize,
}

impl Kernel for MarkReached<'_> {
    fn cpu(self) {
        let reached = self.reached.host();
        let first = reached.len() - 2 * self.heads;
        reached[first..].fill(0);
        for slot in self.slots.host().iter().take(self.batch) {
            let at = first + 2 * (*slot as usize % self.heads);
            reached[at..at + 2].fill(1);
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let tensors = match &self.reached {
            ViewMut::Card(_, len) => *len,
            ViewMut::Host(values) => values.len(),
        };
        let arguments = MarkReachedArguments {
            slots: self.slots.card(),
            reached: self.reached.card().add(tensors - 2 * self.heads),
            heads: self.heads as i32,
            batch: self.batch as i32,
        };
        // SAFETY: one slot a sample, two flags a head from the address on.
        unsafe { card.launch("mark_reached", Grid { blocks: (1, 1), threads: 256 }, arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `ReadoutBackwardArguments` of readout_backward.cu.
    struct ReadoutBackwardArguments: 88 {
        weights: Ptr<u64> = 0,
        logits: Ptr<f32> = 8,
        slots: Ptr<u32> = 16,
        labels: Ptr<u32> = 24,
        scale: Ptr<f32> = 32,
        d_logits: Ptr<f32> = 40,
        d_hidden: Ptr<f32> = 48,
        d_ring: Ptr<f32> = 56,
        heads: i32 = 64,
        batch: i32 = 68,
        ring_len: i32 = 72,
        slot_dim: i32 = 76,
        mode: i32 = 80,
        padding: i32 = 84,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `ReadoutWeightGradientsArguments` of readout_backward.cu.
    struct ReadoutWeightGradientsArguments: 48 {
        d_logits: Ptr<f32> = 0,
        features: Ptr<f32> = 8,
        slots: Ptr<u32> = 16,
        grads: Ptr<f32> = 24,
        heads: i32 = 32,
        batch: i32 = 36,
        slot_dim: i32 = 40,
        padding: i32 = 44,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `MarkReachedArguments` of readout_backward.cu.
    struct MarkReachedArguments: 24 {
        slots: Ptr<u32> = 0,
        reached: Ptr<u32> = 8,
        heads: i32 = 16,
        batch: i32 = 20,
    }
}
