//! Linear layers over the rows of all tokens: `y = x W^T + b`, `x [N,I]`, `W [O,I]`, `b [O]`,
//! `y [N,O]`, and the gradient of their inputs; those of their weights are weight_gradients.rs's.
//!
//! On the CPU the products go to the library that candle's go to; on a card they are matmul.cu's.

use rayon::prelude::*;

use super::activation::tanh;
use super::copy::PIECE;
use super::gemm::{Mat, matmul};
use super::numeric::{Numeric, in_compute};
use super::weights::LayerWeights;
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

/// `y = tanh(x W^T + b)`, in the mode's numbers.
pub(crate) struct LinearTanh<'a> {
    pub(crate) layer: LayerWeights<'a>,
    pub(crate) x: View<'a, f32>,
    pub(crate) y: ViewMut<'a, f32>,
    pub(crate) rows: usize,
    pub(crate) compute: Compute,
}

impl Kernel for LinearTanh<'_> {
    fn cpu(self) {
        let y = self.y.host();
        forward(&self.layer, self.x.host(), y);
        in_compute!(self.compute, |N| {
            y.par_chunks_mut(PIECE).for_each(|piece| {
                piece.iter_mut().for_each(|v| *v = N::round(tanh(*v)));
            });
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let LayerWeights { weight, bias, outputs, inputs } = self.layer;
        let product = MatmulArguments {
            a: self.x.card(),
            b: weight.card(),
            c: self.y.card(),
            bias: bias.card(),
            row_sums: Ptr::NULL,
            a_row: inputs as i64,
            a_col: 1,
            b_row: 1,
            b_col: inputs as i64,
            m: self.rows as i32,
            n: outputs as i32,
            k: inputs as i32,
            epilogue: Epilogue::Tanh as i32,
            mode: mode(self.compute),
            padding: 0,
        };
        // SAFETY: `x` and `y` hold one row for each of `rows`, the layer is the model's.
        unsafe { launch(card, self.compute, product) }
    }
}

/// Gradient of a layer's input from that of its outputs: `dx [N,I]` is written.
pub(crate) struct InputGradient<'a> {
    pub(crate) layer: LayerWeights<'a>,
    pub(crate) dy: View<'a, f32>,
    pub(crate) dx: ViewMut<'a, f32>,
    pub(crate) rows: usize,
    pub(crate) compute: Compute,
}

impl Kernel for InputGradient<'_> {
    fn cpu(self) {
        let LayerWeights { weight, outputs, inputs, .. } = self.layer;
        let weight = Mat::new(weight.host(), outputs, inputs);
        matmul(self.dx.host(), inputs, Mat::new(self.dy.host(), self.rows, outputs), weight, false);
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let LayerWeights { weight, outputs, inputs, .. } = self.layer;
        let product = MatmulArguments {
            a: self.dy.card(),
            b: weight.card(),
            c: self.dx.card(),
            bias: Ptr::NULL,
            row_sums: Ptr::NULL,
            a_row: outputs as i64,
            a_col: 1,
            b_row: inputs as i64,
            b_col: 1,
            m: self.rows as i32,
            n: inputs as i32,
            k: outputs as i32,
            epilogue: Epilogue::Write as i32,
            mode: mode(self.compute),
            padding: 0,
        };
        // SAFETY: the views hold matrices of these sizes.
        unsafe { launch(card, self.compute, product) }
    }
}

/// `y`, accumulated and kept in fp32.
pub(super) fn forward(layer: &LayerWeights, x: &[f32], y: &mut [f32]) {
    let LayerWeights { weight, bias, outputs, inputs } = *layer;
    let rows = x.len() / inputs;
    let weight = Mat::new(weight.host(), outputs, inputs);
    matmul(y, outputs, Mat::new(x, rows, inputs), weight.t(), false);
    for row in y.chunks_exact_mut(outputs) {
        row.iter_mut().zip(bias.host()).for_each(|(y, b)| *y += b);
    }
}

/// What a product does with its result: `Epilogue` of matmul.cu.
#[cfg(feature = "cuda")]
pub(super) enum Epilogue {
    Write = 0,
    Add = 1,
    Tanh = 2,
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `MatmulArguments` of matmul.cu.
    struct MatmulArguments: 96 {
        a: Ptr<f32> = 0,
        b: Ptr<Product> = 8,
        c: Ptr<f32> = 16,
        bias: Ptr<Product> = 24,
        row_sums: Ptr<f32> = 32,
        a_row: i64 = 40,
        a_col: i64 = 48,
        b_row: i64 = 56,
        b_col: i64 = 64,
        m: i32 = 72,
        n: i32 = 76,
        k: i32 = 80,
        epilogue: i32 = 84,
        mode: i32 = 88,
        padding: i32 = 92,
    }
}

/// # Safety
///
/// The addresses hold matrices of the sizes and strides that stand beside them.
#[cfg(feature = "cuda")]
pub(super) unsafe fn launch(
    card: &Card,
    compute: Compute,
    product: MatmulArguments,
) -> Result<(), WorkloadError> {
    let blocks = ((product.m as usize).div_ceil(64), (product.n as usize).div_ceil(64));
    let name = by_compute!(compute, "matmul");
    // SAFETY: the caller's.
    unsafe { card.launch(name, Grid { blocks, threads: 256 }, product) }
}
