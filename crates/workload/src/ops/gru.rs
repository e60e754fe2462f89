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

use rayon::prelude::*;

use super::numeric::{Numeric, sigmoid};
use super::weights::CellWeights;

/// One sample's gates from the sums of the products, in place, and its next state.
pub(super) fn activate(cell: &CellWeights, hidden: &[f32], gates: &mut [f32], next: &mut [f32]) {
    let w = cell.width;
    let (bias_ih, bias_hh) = (cell.bias_ih.host(), cell.bias_hh.host());
    let (r, rest) = gates.split_at_mut(w);
    let (z, rest) = rest.split_at_mut(w);
    let (n, q) = rest.split_at_mut(w);
    for i in 0..w {
        let bias = |gate: usize| bias_ih[gate * w + i] + bias_hh[gate * w + i];
        let ri = sigmoid(r[i] + bias(0));
        let zi = sigmoid(z[i] + bias(1));
        let qi = q[i] + bias_hh[2 * w + i];
        let ni = (n[i] + bias_ih[2 * w + i] + ri * qi).tanh();
        next[i] = (1.0 - zi) * ni + zi * hidden[i];
        (r[i], z[i], n[i], q[i]) = (ri, zi, ni, qi);
    }
}

/// `gates [B,4W]` turns into the gradients of the pre-activations: `dr, dz, dn` of both products,
/// then the candidate's hidden product `r * dn`. `dh` and the state before, `hidden`, are `[B,W]`;
/// `z * dh` goes into `dh_before`.
pub(super) fn gate_gradients<N: Numeric>(
    (dh, hidden): (&[f32], &[f32]),
    gates: &mut [f32],
    dh_before: &mut [f32],
    w: usize,
) {
    let rows = gates
        .par_chunks_exact_mut(4 * w)
        .zip(dh.par_chunks_exact(w))
        .zip(hidden.par_chunks_exact(w))
        .zip(dh_before.par_chunks_exact_mut(w));
    rows.for_each(|(((gates, dh), hidden), dh_before)| {
        deactivate::<N>((dh, hidden), gates, dh_before);
    });
}

/// Gradients of the four pre-activations in place of the gates, and `z * dh` into `dh_before`.
fn deactivate<N: Numeric>(
    (dh, hidden): (&[f32], &[f32]),
    gates: &mut [f32],
    dh_before: &mut [f32],
) {
    let w = dh.len();
    let (r, rest) = gates.split_at_mut(w);
    let (z, rest) = rest.split_at_mut(w);
    let (n, q) = rest.split_at_mut(w);
    for i in 0..w {
        let dn = N::round(dh[i] * (1.0 - z[i]) * (1.0 - n[i] * n[i]));
        let dz = N::round(dh[i] * (hidden[i] - n[i]) * z[i] * (1.0 - z[i]));
        let dr = N::round(dn * q[i] * r[i] * (1.0 - r[i]));
        dh_before[i] = dh[i] * z[i];
        (q[i], r[i], z[i], n[i]) = (N::round(dn * r[i]), dr, dz, dn);
    }
}
