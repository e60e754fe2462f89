//! Readout, cross-entropy and their gradients.
//!
//! ```text
//! features = M_T[a, :] + h            logits = W_e features + b_e,   e = a mod E
//! loss_b   = logsumexp(logits_b) - logits_b[y_b]        loss = mean_b loss_b
//! ```
//!
//! `features [B,D]`, `logits [B,C]`, `a` the slot of the last pointer. The loss is fp32 in every
//! mode.

use super::linear;
use crate::numeric::Numeric;
use crate::params;
use crate::shape::CLASSES;

/// Logits of every sample through its expert.
pub(crate) fn forward(
    weights: &[f32],
    experts: &[params::Linear],
    slots: &[u32],
    features: &[f32],
    logits: &mut [f32],
) {
    let d = features.len() / slots.len();
    let rows = features.chunks_exact(d).zip(logits.chunks_exact_mut(CLASSES));
    for (slot, (x, y)) in slots.iter().zip(rows) {
        linear::forward(weights, &experts[*slot as usize % experts.len()], x, y);
    }
}

/// Cross-entropy of each sample.
pub(crate) fn losses(logits: &[f32], labels: &[u32], losses: &mut [f32]) {
    let rows = logits.chunks_exact(CLASSES).zip(labels).zip(losses);
    rows.for_each(|((row, &label), loss)| *loss = log_sum_exp(row) - row[label as usize]);
}

/// `scale / B * (softmax(logits) - onehot(label))` in place of the logits.
pub(crate) fn loss_gradient<N: Numeric>(logits: &mut [f32], labels: &[u32], scale: f32) {
    let factor = scale / labels.len() as f32;
    for (row, &label) in logits.chunks_exact_mut(CLASSES).zip(labels) {
        let total = log_sum_exp(row);
        for (class, v) in row.iter_mut().enumerate() {
            let hit = if class == label as usize { 1.0 } else { 0.0 };
            *v = N::round(((*v - total).exp() - hit) * factor);
        }
    }
}

/// Gradients of the experts' weights (added to `grads`) and of the features (into `d_features`).
pub(crate) fn backward(
    weights: &[f32],
    grads: &mut [f32],
    experts: &[params::Linear],
    slots: &[u32],
    (features, d_logits): (&[f32], &[f32]),
    d_features: &mut [f32],
) {
    let d = features.len() / slots.len();
    for (b, slot) in slots.iter().enumerate() {
        let at = &experts[*slot as usize % experts.len()];
        let row = b * d..(b + 1) * d;
        let dy = &d_logits[b * CLASSES..(b + 1) * CLASSES];
        linear::weight_gradients(grads, at, dy, &features[row.clone()]);
        linear::input_gradient(weights, at, dy, &mut d_features[row], false);
    }
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    top + row.iter().map(|v| (v - top).exp()).sum::<f32>().ln()
}
