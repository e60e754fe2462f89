//! Random numbers of tokens or classes, drawn on the host as a tokenizer's would come from there.

use candle_core::{Device, Result, Shape, Tensor};
use rand::{Rng, RngExt};

/// Ids from 0 to below `count`, as a tensor of `u32` on `device`.
///
/// # Errors
///
/// If the device has no room for them.
pub fn random_ids(
    shape: impl Into<Shape>,
    count: usize,
    rng: &mut impl Rng,
    device: &Device,
) -> Result<Tensor> {
    let shape = shape.into();
    let draw = |_| rng.random_range(0..count) as u32;
    let ids: Vec<u32> = (0..shape.elem_count()).map(draw).collect();
    Tensor::from_vec(ids, shape, device)
}
