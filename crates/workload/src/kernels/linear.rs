//! Linear layer over rows: `y = x W^T + b`, `x [N,I]`, `W [O,I]`, `b [O]`, `y [N,O]`.

use super::gemm::{Mat, matmul};
use crate::params;

/// `y`, accumulated and kept in fp32.
pub(crate) fn forward(weights: &[f32], at: &params::Linear, x: &[f32], y: &mut [f32]) {
    let (weight, bias) = (&weights[at.weight.clone()], &weights[at.bias.clone()]);
    let outputs = bias.len();
    let inputs = weight.len() / outputs;
    let rows = x.len() / inputs;
    let weight = Mat::new(weight, outputs, inputs);
    matmul(y, outputs, Mat::new(x, rows, inputs), weight.t(), false);
    for row in y.chunks_exact_mut(outputs) {
        row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
    }
}

/// Gradients of weight and bias from `dy [N,O]`, added to `grads`.
pub(crate) fn weight_gradients(grads: &mut [f32], at: &params::Linear, dy: &[f32], x: &[f32]) {
    let outputs = at.bias.len();
    let inputs = at.weight.len() / outputs;
    let rows = x.len() / inputs;
    let dy_t = Mat::new(dy, rows, outputs).t();
    matmul(&mut grads[at.weight.clone()], inputs, dy_t, Mat::new(x, rows, inputs), true);
    let sum = &mut grads[at.bias.clone()];
    for row in dy.chunks_exact(outputs) {
        sum.iter_mut().zip(row).for_each(|(s, g)| *s += g);
    }
}

/// Gradient of `x`: written, or added with `accumulate`.
pub(crate) fn input_gradient(
    weights: &[f32],
    at: &params::Linear,
    dy: &[f32],
    dx: &mut [f32],
    accumulate: bool,
) {
    let outputs = at.bias.len();
    let inputs = at.weight.len() / outputs;
    let rows = dx.len() / inputs;
    let weight = Mat::new(&weights[at.weight.clone()], outputs, inputs);
    matmul(dx, inputs, Mat::new(dy, rows, outputs), weight, accumulate);
}
