//! The kernels of the fused step, one to a file: a struct that names what it reads and writes, the
//! CPU's way in the same file and the card's in the `.cu` file beside it, each opening with its
//! equation and shapes. What a kernel on a card takes is one struct, whose size and offsets both
//! sides assert.

#![cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "lengths and tables for the card"))]

mod activation;
pub(crate) mod adam;
pub(crate) mod backward_chain;
pub(crate) mod cast;
#[cfg(feature = "cuda")]
mod chain;
pub(crate) mod check_gradients;
#[cfg(feature = "cuda")]
mod cluster;
mod columns;
pub(crate) mod copy;
mod few_rows;
pub(crate) mod field_gradients;
pub(crate) mod forward_chain;
pub(crate) mod gemm;
mod gru;
pub(crate) mod gru_backward;
pub(crate) mod gru_forward;
pub(crate) mod loss_scale;
pub(crate) mod matmul;
pub(crate) mod numeric;
pub(crate) mod pointer_start;
pub(crate) mod readout;
pub(crate) mod readout_backward;
pub(crate) mod readout_features;
pub(crate) mod ring_axis;
mod ring_rows;
pub(crate) mod ring_step;
pub(crate) mod ring_step_backward;
pub(crate) mod sensory_backward_chain;
pub(crate) mod sensory_chain;
pub(crate) mod sensory_inputs;
pub(crate) mod sensory_step_backward;
pub(crate) mod state_loop;
pub(crate) mod weight_gradients;
pub(crate) mod weights;
pub(crate) mod write_states;
