//! Backward of one token of a GRU cell, from the gradients of its pre-activations (gru.rs).

use super::gemm::{Mat, matmul};
use super::weights::CellWeights;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Compute;
#[cfg(feature = "cuda")]
use {
    super::weights::Product,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, by_compute, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Gradients of `x` (into `dx`) and of `h` (added to the `z * dh` in `dh_before`) from those of
/// the pre-activations, `gates [B,4W]`; both are `[B,W]`.
pub(crate) struct GruBackward<'a> {
    pub(crate) cell: CellWeights<'a>,
    pub(crate) gates: View<'a, f32>,
    pub(crate) dx: ViewMut<'a, f32>,
    pub(crate) dh_before: ViewMut<'a, f32>,
    pub(crate) batch: usize,
    pub(crate) compute: Compute,
}

impl Kernel for GruBackward<'_> {
    fn cpu(self) {
        let Self { cell, batch, .. } = self;
        let w = cell.width;
        let (gates, dh_before) = (self.gates.host(), self.dh_before.host());
        let grads = Mat::strided(gates, batch, 3 * w, 4 * w);
        matmul(self.dx.host(), w, grads, Mat::new(cell.weight_ih.host(), 3 * w, w), false);
        let (gate_rows, candidate_rows) = cell.weight_hh.host().split_at(2 * w * w);
        let gate_grads = Mat::strided(gates, batch, 2 * w, 4 * w);
        matmul(dh_before, w, gate_grads, Mat::new(gate_rows, 2 * w, w), true);
        let candidate_grads = Mat::strided(&gates[3 * w..], batch, w, 4 * w);
        matmul(dh_before, w, candidate_grads, Mat::new(candidate_rows, w, w), true);
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let width = self.cell.width;
        let arguments = GruBackwardArguments {
            gates: self.gates.card(),
            weight_ih: self.cell.weight_ih.card(),
            weight_hh: self.cell.weight_hh.card(),
            dx: self.dx.card(),
            dh: self.dh_before.card(),
            batch: self.batch as i32,
            width: width as i32,
        };
        let blocks = (self.batch.div_ceil(8), width.div_ceil(8));
        let name = by_compute!(self.compute, "gru_backward");
        // SAFETY: the views hold [B,4W] and [B,W], the cell is the model's.
        unsafe { card.launch(name, Grid { blocks, threads: 512 }, arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `GruBackwardArguments` of gru_backward.cu.
    struct GruBackwardArguments: 48 {
        gates: Ptr<f32> = 0,
        weight_ih: Ptr<Product> = 8,
        weight_hh: Ptr<Product> = 16,
        dx: Ptr<f32> = 24,
        dh: Ptr<f32> = 32,
        batch: i32 = 40,
        width: i32 = 44,
    }
}
