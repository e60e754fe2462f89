//! What the candle programs of this package share: the marks that they print the memory pool's
//! counters at, the training step, and what their command lines have in common.
//!
//! A program is checked by running it twice, on a card and on a virtual one (`vram dry-run`), and
//! comparing what it prints. So whatever decides the order of its allocations is fixed: seeds, and
//! the order of the variables.
#![deny(missing_docs)]

pub mod arguments;
pub mod failure;
#[cfg(feature = "cuda")]
pub mod marks;
pub mod random_ids;
pub mod random_weights;
#[cfg(feature = "cuda")]
pub mod training;

/// What a program comes to.
pub type Result<T> = std::result::Result<T, failure::Failure>;
