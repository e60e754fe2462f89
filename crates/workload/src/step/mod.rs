//! A training step: the fused forward and backward, Adam, the loss scale, and what ties them
//! together. The order of a step, what it allocates and when, is written here once; what a kernel
//! does is in `ops`.

mod activations;
pub(crate) mod adam;
mod backward;
pub(crate) mod batch;
pub(crate) mod copy_rate;
pub(crate) mod fault;
pub(crate) mod forward;
pub(crate) mod fused;
pub(crate) mod gradients;
pub(crate) mod loss_scale;
pub(crate) mod plain;
pub(crate) mod tape;
pub(crate) mod trainer;
mod workspace;
