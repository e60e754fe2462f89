//! Logits and cross-entropy, in fp32.
//!
//! ```text
//! logits = W_e features + b_e,   e = a mod E
//! loss_b = logsumexp(logits_b) - logits_b[y_b]        loss = mean_b loss_b
//! ```

use super::matmul;
use super::weights::{LayerWeights, Weight};
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::{CLASSES, Compute};
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, by_compute, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// `READOUT_THREADS` of readout.cuh.
#[cfg(feature = "cuda")]
pub(super) const THREADS: usize = 1024;

/// Weights and biases of the readout heads in turn; on a card, a table of their addresses.
#[derive(Clone, Copy)]
pub(crate) struct HeadWeights<'a> {
    pub(crate) heads: &'a [Weight<'a>],
    pub(crate) table: Option<View<'a, u64>>,
}

impl HeadWeights<'_> {
    pub(super) fn count(&self) -> usize {
        self.heads.len() / 2
    }

    /// The head that a sample on this slot goes through.
    pub(super) fn of_slot(&self, slot: u32, inputs: usize) -> LayerWeights<'_> {
        let head = slot as usize % self.count();
        let (weight, bias) = (self.heads[2 * head], self.heads[2 * head + 1]);
        LayerWeights { weight, bias, outputs: CLASSES, inputs }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn card(&self) -> Ptr<u64> {
        self.table.map_or(Ptr::NULL, View::card)
    }
}

/// `features [B,D]`, `slots`, `labels`, `losses` `[B]`, `logits [B,C]`.
pub(crate) struct Readout<'a> {
    pub(crate) weights: HeadWeights<'a>,
    pub(crate) features: View<'a, f32>,
    pub(crate) slots: View<'a, u32>,
    pub(crate) labels: View<'a, u32>,
    pub(crate) logits: ViewMut<'a, f32>,
    pub(crate) losses: ViewMut<'a, f32>,
    pub(crate) batch: usize,
    pub(crate) slot_dim: usize,
    pub(crate) compute: Compute,
}

impl Kernel for Readout<'_> {
    fn cpu(self) {
        let (features, logits) = (self.features.host(), self.logits.host());
        let rows = features.chunks_exact(self.slot_dim).zip(logits.chunks_exact_mut(CLASSES));
        let labels = self.labels.host();
        let samples = self.slots.host().iter().zip(labels).zip(self.losses.host()).zip(rows);
        for (((slot, label), loss), (x, y)) in samples.take(self.batch) {
            matmul::forward(&self.weights.of_slot(*slot, self.slot_dim), x, y);
            *loss = log_sum_exp(y) - y[*label as usize];
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = ReadoutArguments {
            weights: self.weights.card(),
            features: self.features.card(),
            slots: self.slots.card(),
            labels: self.labels.card(),
            logits: self.logits.card(),
            losses: self.losses.card(),
            heads: self.weights.count() as i32,
            slot_dim: self.slot_dim as i32,
        };
        let grid = Grid { blocks: (self.batch, 1), threads: THREADS };
        // SAFETY: one row or element a sample; the table holds every head.
        unsafe { card.launch(by_compute!(self.compute, "readout"), grid, arguments) }
    }
}

/// Mean loss, and mean distance that a pointer moved per token, from those of the samples.
pub(crate) struct Means<'a> {
    pub(crate) losses: View<'a, f32>,
    pub(crate) moved: View<'a, f64>,
    pub(crate) loss: ViewMut<'a, f32>,
    pub(crate) move_penalty: ViewMut<'a, f64>,
    pub(crate) batch: usize,
    pub(crate) tokens: usize,
}

impl Kernel for Means<'_> {
    fn cpu(self) {
        let loss: f64 = self.losses.host().iter().map(|l| f64::from(*l)).sum();
        let moved: f64 = self.moved.host().iter().sum();
        let samples = self.batch as f64;
        self.loss.host()[0] = (loss / samples) as f32;
        self.move_penalty.host()[0] = moved / (samples * self.tokens as f64);
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = MeansArguments {
            losses: self.losses.card(),
            moved: self.moved.card(),
            loss: self.loss.card(),
            move_penalty: self.move_penalty.card(),
            batch: self.batch as i32,
            tokens: self.tokens as i32,
        };
        // SAFETY: one element a sample, one number each.
        unsafe { card.launch("means", Grid { blocks: (1, 1), threads: 1 }, arguments) }
    }
}

pub(super) fn log_sum_exp(row: &[f32]) -> f32 {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    top + row.iter().map(|v| (v - top).exp()).sum::<f32>().ln()
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `ReadoutArguments` of readout.cu.
    struct ReadoutArguments: 56 {
        weights: Ptr<u64> = 0,
        features: Ptr<f32> = 8,
        slots: Ptr<u32> = 16,
        labels: Ptr<u32> = 24,
        logits: Ptr<f32> = 32,
        losses: Ptr<f32> = 40,
        heads: i32 = 48,
        slot_dim: i32 = 52,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `MeansArguments` of readout.cu.
    struct MeansArguments: 40 {
        losses: Ptr<f32> = 0,
        moved: Ptr<f64> = 8,
        loss: Ptr<f32> = 16,
        move_penalty: Ptr<f64> = 24,
        batch: i32 = 32,
        tokens: i32 = 36,
    }
}
