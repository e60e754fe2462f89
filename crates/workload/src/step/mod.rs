//! A training step: the fused forward and backward, Adam, the loss scale, and what ties them
//! together. The order of a step, what it allocates and when, is written here once; what a kernel
//! does is in `ops`.

mod activations;
pub mod adam;
mod backward;
pub mod batch;
pub mod copy_rate;
pub mod fault;
pub mod forward;
pub mod fused;
pub mod gradients;
pub mod loss_scale;
pub mod plain;
mod sensory_backward;
mod sensory_forward;
pub mod tape;
pub mod trainer;
mod workspace;
