//! Reading and writing the ring around the pointer.
//!
//! ```text
//! read:   cur = sum_j w_j M[c_j, :]              x = inp + sigmoid(context_logit) * cur
//! write:  M'[c_j, :] = M[c_j, :] + w_j * h
//! ```
//!
//! One sample at a time: `M [R,D]`, `h, inp, cur [D]`. Slots repeat when the ring has fewer than
//! five; sums over j take that in their stride.

use std::mem::MaybeUninit;

use super::ring_axis::Taps;
use crate::shape::TAPS;

/// The five rows that are read, in the order of the taps: `[5,D]` into `kept`.
pub(crate) fn keep(ring: &[f32], taps: &Taps, kept: &mut [MaybeUninit<f32>]) {
    let d = kept.len() / TAPS;
    for (slot, kept) in taps.slots.iter().zip(kept.chunks_exact_mut(d)) {
        kept.write_copy_of_slice(row(ring, *slot, d));
    }
}

/// `cur` into `out`.
pub(crate) fn read(ring: &[f32], taps: &Taps, out: &mut [f32]) {
    out.fill(0.0);
    for (slot, weight) in taps.slots.iter().zip(taps.weights) {
        axpy(weight, row(ring, *slot, out.len()), out);
    }
}

/// Adds `w_j * values` at every tap: the write, and the gradient of the read.
pub(crate) fn scatter(ring: &mut [f32], taps: &Taps, values: &[f32]) {
    let d = values.len();
    for (slot, weight) in taps.slots.iter().zip(taps.weights) {
        axpy(weight, values, &mut ring[slot * d..(slot + 1) * d]);
    }
}

/// `M[c_j, :] . values` for every tap, its row being at place `places[j]` of `rows`: the gradients of
/// the weights, `values` being the other factor's gradient (read) or the other factor (write).
pub(crate) fn project(rows: &[f32], places: [usize; TAPS], values: &[f32]) -> [f32; TAPS] {
    places.map(|place| dot(row(rows, place, values.len()), values))
}

/// `sum_j w_j g_j`: what the gain on the read value gets from the taps' projections.
pub(crate) fn dot_taps(taps: &Taps, projections: &[f32; TAPS]) -> f32 {
    dot(&taps.weights, projections)
}

/// Slot `slot` of a ring with slots of `d` elements.
pub(crate) fn row(ring: &[f32], slot: usize, d: usize) -> &[f32] {
    &ring[slot * d..(slot + 1) * d]
}

/// `y += a x`.
pub(crate) fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
