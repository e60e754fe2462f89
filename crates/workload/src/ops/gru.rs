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

use super::activation::{sigmoid, tanh};
use super::numeric::Numeric;
use super::weights::CellWeights;

/// One sample's gates from the sums of the products, in place, and its next state. Each loop is over few
/// enough slices for the compiler to compute several elements at once.
pub(super) fn activate(cell: &CellWeights, hidden: &[f32], gates: &mut [f32], next: &mut [f32]) {
    let w = cell.width;
    let (bias_ih, bias_hh) = (cell.bias_ih.host(), cell.bias_hh.host());
    let biases_of = |gate: usize| (&bias_ih[gate * w..][..w], &bias_hh[gate * w..][..w]);
    let [r, z, n, q] = quarters(gates);
    for (gate, values) in [&mut *r, &mut *z].into_iter().enumerate() {
        let (ih, hh) = biases_of(gate);
        values.iter_mut().zip(ih).zip(hh).for_each(|((v, ih), hh)| *v = sigmoid(*v + (ih + hh)));
    }
    let (ih, hh) = biases_of(2);
    q.iter_mut().zip(hh).for_each(|(q, hh)| *q += hh);
    let candidates = n.iter_mut().zip(ih).zip(&*r).zip(&*q);
    candidates.for_each(|(((n, ih), r), q)| *n = tanh(*n + ih + r * q));
    let states = next.iter_mut().zip(hidden).zip(&*z).zip(&*n);
    states.for_each(|(((next, h), z), n)| *next = (1.0 - z) * n + z * h);
}

/// The four gates of a sample.
fn quarters(gates: &mut [f32]) -> [&mut [f32]; 4] {
    let (first, second) = gates.split_at_mut(gates.len() / 2);
    let (r, z) = first.split_at_mut(first.len() / 2);
    let (n, q) = second.split_at_mut(second.len() / 2);
    [r, z, n, q]
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
    let [r, z, n, q] = quarters(gates);
    dh_before.iter_mut().zip(dh).zip(&*z).for_each(|((before, dh), z)| *before = dh * z);
    let states = z.iter_mut().zip(&mut *n).zip(dh).zip(hidden);
    states.for_each(|(((z, n), dh), hidden)| {
        let dn = dh * (1.0 - *z) * (1.0 - *n * *n);
        let dz = dh * (hidden - *n) * *z * (1.0 - *z);
        (*z, *n) = (N::round(dz), N::round(dn));
    });
    r.iter_mut().zip(q).zip(&*n).for_each(|((r, q), dn)| {
        let dr = dn * *q * *r * (1.0 - *r);
        (*r, *q) = (N::round(dr), N::round(dn * *r));
    });
}
