//! GRU cell, gates in the order r, z, n (as PyTorch's `GRUCell`):
//!
//! ```text
//! r, z = sigmoid(Wi x + bi + Wh h + bh)
//! n    = tanh(Wi x + bi + r * (Wh h + bh))
//! h'   = (1 - z) * n + z * h
//! ```
//!
//! Inputs `x [B,W]`, `h [B,W]`, output `h' [B,W]`; `gates [B,4W]` keeps `r, z, n` and
//! `q = Wh h + bh` of the candidate. Backward overwrites them with the gradients of the four
//! pre-activations, from which the weight gradients are taken for all tokens at once.
//!
//! In half precision the operands of the products are half; sums, gates and `h` stay fp32.

use super::gemm::{Mat, matmul};
use crate::numeric::{Numeric, sigmoid};
use crate::params;
use rayon::prelude::*;

/// The weights of one cell, rounded to the mode's numbers.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    width: usize,
    weight_ih: &'a [f32],
    weight_hh: &'a [f32],
    bias_ih: &'a [f32],
    bias_hh: &'a [f32],
}

impl<'a> Cell<'a> {
    pub(crate) fn new(weights: &'a [f32], at: &params::Gru, width: usize) -> Self {
        Self {
            width,
            weight_ih: &weights[at.weight_ih.clone()],
            weight_hh: &weights[at.weight_hh.clone()],
            bias_ih: &weights[at.bias_ih.clone()],
            bias_hh: &weights[at.bias_hh.clone()],
        }
    }

    /// `h'` into `next`, the gates into `gates`. `operand` is `h` in the mode's numbers on entry,
    /// and `h'` on return.
    pub(crate) fn forward<N: Numeric>(
        &self,
        (x, hidden): (&[f32], &[f32]),
        operand: &mut [f32],
        gates: &mut [f32],
        next: &mut [f32],
    ) {
        let w = self.width;
        let batch = x.len() / w;
        matmul(gates, 4 * w, Mat::new(x, batch, w), Mat::new(self.weight_ih, 3 * w, w).t(), false);
        let (gate_rows, candidate_rows) = self.weight_hh.split_at(2 * w * w);
        let h = Mat::new(operand, batch, w);
        matmul(gates, 4 * w, h, Mat::new(gate_rows, 2 * w, w).t(), true);
        let candidates = &mut gates[3 * w..];
        matmul(candidates, 4 * w, h, Mat::new(candidate_rows, w, w).t(), false);

        let rows = gates
            .par_chunks_exact_mut(4 * w)
            .zip(hidden.par_chunks_exact(w))
            .zip(next.par_chunks_exact_mut(w))
            .zip(operand.par_chunks_exact_mut(w));
        rows.for_each(|(((gates, hidden), next), operand)| {
            self.activate(hidden, gates, next);
            operand.iter_mut().zip(next).for_each(|(o, h)| *o = N::round(*h));
        });
    }

    fn activate(&self, hidden: &[f32], gates: &mut [f32], next: &mut [f32]) {
        let w = self.width;
        let (r, rest) = gates.split_at_mut(w);
        let (z, rest) = rest.split_at_mut(w);
        let (n, q) = rest.split_at_mut(w);
        for i in 0..w {
            let bias = |gate: usize| self.bias_ih[gate * w + i] + self.bias_hh[gate * w + i];
            let ri = sigmoid(r[i] + bias(0));
            let zi = sigmoid(z[i] + bias(1));
            let qi = q[i] + self.bias_hh[2 * w + i];
            let ni = (n[i] + self.bias_ih[2 * w + i] + ri * qi).tanh();
            next[i] = (1.0 - zi) * ni + zi * hidden[i];
            (r[i], z[i], n[i], q[i]) = (ri, zi, ni, qi);
        }
    }

    /// Gradients of `x` (into `dx`) and of `h` (added to the `z * dh` in `dh_prev`) from those of
    /// the pre-activations.
    pub(crate) fn input_gradients(&self, gates: &[f32], dx: &mut [f32], dh_prev: &mut [f32]) {
        let w = self.width;
        let batch = dx.len() / w;
        let grads = Mat::strided(gates, batch, 3 * w, 4 * w);
        matmul(dx, w, grads, Mat::new(self.weight_ih, 3 * w, w), false);
        let (gate_rows, candidate_rows) = self.weight_hh.split_at(2 * w * w);
        let gate_grads = Mat::strided(gates, batch, 2 * w, 4 * w);
        matmul(dh_prev, w, gate_grads, Mat::new(gate_rows, 2 * w, w), true);
        let candidate_grads = Mat::strided(&gates[3 * w..], batch, w, 4 * w);
        matmul(dh_prev, w, candidate_grads, Mat::new(candidate_rows, w, w), true);
    }
}

/// `gates [B,4W]` turns into the gradients of the pre-activations: `dr, dz, dn` of both products,
/// then the candidate's hidden product `r * dn`. `dh` and the state before, `hidden`, are `[B,W]`;
/// `z * dh` goes into `dh_prev`.
pub(crate) fn gate_gradients<N: Numeric>(
    (dh, hidden): (&[f32], &[f32]),
    gates: &mut [f32],
    dh_prev: &mut [f32],
    w: usize,
) {
    let rows = gates
        .par_chunks_exact_mut(4 * w)
        .zip(dh.par_chunks_exact(w))
        .zip(hidden.par_chunks_exact(w))
        .zip(dh_prev.par_chunks_exact_mut(w));
    rows.for_each(|(((gates, dh), hidden), dh_prev)| {
        deactivate::<N>((dh, hidden), gates, dh_prev);
    });
}

/// Gradients of the four pre-activations in place of the gates, and `z * dh` into `dh_prev`.
fn deactivate<N: Numeric>((dh, hidden): (&[f32], &[f32]), gates: &mut [f32], dh_prev: &mut [f32]) {
    let w = dh.len();
    let (r, rest) = gates.split_at_mut(w);
    let (z, rest) = rest.split_at_mut(w);
    let (n, q) = rest.split_at_mut(w);
    for i in 0..w {
        let dn = N::round(dh[i] * (1.0 - z[i]) * (1.0 - n[i] * n[i]));
        let dz = N::round(dh[i] * (hidden[i] - n[i]) * z[i] * (1.0 - z[i]));
        let dr = N::round(dn * q[i] * r[i] * (1.0 - r[i]));
        dh_prev[i] = dh[i] * z[i];
        (q[i], r[i], z[i], n[i]) = (N::round(dn * r[i]), dr, dz, dn);
    }
}

/// Weight gradients of all tokens at once, added to `grads`.
///
/// `gates [T*B,4W]` as [`gate_gradients`] leaves them, `x` and `hidden` `[T*B,W]` the operands of
/// the two products.
pub(crate) fn weight_gradients(
    grads: &mut [f32],
    at: &params::Gru,
    w: usize,
    gates: &[f32],
    (x, hidden): (&[f32], &[f32]),
) {
    let tokens = x.len() / w;
    let inner = Mat::strided(gates, tokens, 3 * w, 4 * w).t();
    matmul(&mut grads[at.weight_ih.clone()], w, inner, Mat::new(x, tokens, w), true);

    let hidden = Mat::new(hidden, tokens, w);
    let (gate_rows, candidate_rows) = grads[at.weight_hh.clone()].split_at_mut(2 * w * w);
    let gate_grads = Mat::strided(gates, tokens, 2 * w, 4 * w).t();
    matmul(gate_rows, w, gate_grads, hidden, true);
    let candidate_grads = Mat::strided(&gates[3 * w..], tokens, w, 4 * w).t();
    matmul(candidate_rows, w, candidate_grads, hidden, true);

    for row in gates.chunks_exact(4 * w) {
        let (shared, last) = row.split_at(2 * w);
        let (n, q) = last.split_at(w);
        add(&mut grads[at.bias_ih.clone()], shared.iter().chain(n));
        add(&mut grads[at.bias_hh.clone()], shared.iter().chain(q));
    }
}

fn add<'a>(sum: &mut [f32], row: impl Iterator<Item = &'a f32>) {
    sum.iter_mut().zip(row).for_each(|(s, g)| *s += g);
}
