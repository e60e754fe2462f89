//! Adam (Kingma and Ba 2015, algorithm 1), no weight decay:
//!
//! ```text
//! m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
//! w = w - lr / (1 - b1^n) * m / (sqrt(v) / sqrt(1 - b2^n) + eps)
//! ```

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPS: f32 = 1e-8;

/// One parameter's update; `count` is `n`, the number of its updates including this one, and
/// `unscale` undoes the loss scale.
pub(crate) fn update(
    (weights, m, v): (&mut [f32], &mut [f32], &mut [f32]),
    grads: &[f32],
    (lr, count, unscale): (f64, i32, f32),
) {
    let step = (lr / (1.0 - f64::from(BETA1).powi(count))) as f32;
    let root = (1.0 - f64::from(BETA2).powi(count)).sqrt() as f32;
    let moments = m.iter_mut().zip(v);
    for ((w, g), (m, v)) in weights.iter_mut().zip(grads).zip(moments) {
        let g = g * unscale;
        *m = BETA1 * *m + (1.0 - BETA1) * g;
        *v = BETA2 * *v + (1.0 - BETA2) * g * g;
        *w -= step * *m / (v.sqrt() / root + EPS);
    }
}
