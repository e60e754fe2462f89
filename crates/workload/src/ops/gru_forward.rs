//! One token of a GRU cell; the equations are in gru.rs.

use rayon::prelude::*;

use super::gemm::{Mat, matmul};
use super::gru::activate;
use super::numeric::{Numeric, in_compute};
use super::weights::CellWeights;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Compute;
#[cfg(feature = "cuda")]
use {
    super::weights::Product,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, by_compute, kernel_arguments, mode},
    crate::memory::pointer::Ptr,
};

/// `x`, `hidden` and `next` are `[B,W]`, `gates` is `[B,4W]`.
pub(crate) struct GruForward<'a> {
    pub(crate) cell: CellWeights<'a>,
    pub(crate) x: View<'a, f32>,
    pub(crate) hidden: View<'a, f32>,
    /// On the CPU, `[B,W]`: `hidden` in the mode's numbers, and `next` on return. A card rounds as
    /// it reads.
    pub(crate) operand: Option<ViewMut<'a, f32>>,
    pub(crate) gates: ViewMut<'a, f32>,
    pub(crate) next: ViewMut<'a, f32>,
    pub(crate) batch: usize,
    pub(crate) compute: Compute,
}

impl Kernel for GruForward<'_> {
    fn cpu(self) {
        let Self { cell, batch, .. } = self;
        let w = cell.width;
        let (gates, next, hidden) = (self.gates.host(), self.next.host(), self.hidden.host());
        let Some(operand) = self.operand.map(ViewMut::host) else { return };
        let inputs = Mat::new(cell.weight_ih.host(), 3 * w, w).t();
        matmul(gates, 4 * w, Mat::new(self.x.host(), batch, w), inputs, false);
        let (gate_rows, candidate_rows) = cell.weight_hh.host().split_at(2 * w * w);
        let h = Mat::new(operand, batch, w);
        matmul(gates, 4 * w, h, Mat::new(gate_rows, 2 * w, w).t(), true);
        let candidates = &mut gates[3 * w..];
        matmul(candidates, 4 * w, h, Mat::new(candidate_rows, w, w).t(), false);

        let rows = gates
            .par_chunks_exact_mut(4 * w)
            .zip(hidden.par_chunks_exact(w))
            .zip(next.par_chunks_exact_mut(w))
            .zip(operand.par_chunks_exact_mut(w));
        in_compute!(self.compute, |N| rows.for_each(|(((gates, hidden), next), operand)| {
            activate(&cell, hidden, gates, next);
            operand.iter_mut().zip(next).for_each(|(o, h)| *o = N::round(*h));
        }));
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let width = self.cell.width;
        let arguments = GruForwardArguments {
            x: self.x.card(),
            hidden: self.hidden.card(),
            weight_ih: self.cell.weight_ih.card(),
            weight_hh: self.cell.weight_hh.card(),
            bias_ih: self.cell.bias_ih.card(),
            bias_hh: self.cell.bias_hh.card(),
            gates: self.gates.card(),
            next: self.next.card(),
            batch: self.batch as i32,
            width: width as i32,
            mode: mode(self.compute),
            padding: 0,
        };
        let blocks = (self.batch.div_ceil(8), width.div_ceil(2));
        let name = by_compute!(self.compute, "gru_forward");
        // SAFETY: the views hold [B,W] and [B,4W], the cell is the model's.
        unsafe { card.launch(name, Grid { blocks, threads: 128 }, arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `GruForwardArguments` of gru_forward.cu.
    struct GruForwardArguments: 80 {
        x: Ptr<f32> = 0,
        hidden: Ptr<f32> = 8,
        weight_ih: Ptr<Product> = 16,
        weight_hh: Ptr<Product> = 24,
        bias_ih: Ptr<Product> = 32,
        bias_hh: Ptr<Product> = 40,
        gates: Ptr<f32> = 48,
        next: Ptr<f32> = 56,
        batch: i32 = 64,
        width: i32 = 68,
        mode: i32 = 72,
        padding: i32 = 76,
    }
}
