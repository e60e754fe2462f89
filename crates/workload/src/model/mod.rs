//! OD1 in candle's terms: named tensors from a `VarBuilder`, and the plain forward on them.

pub mod draw;
pub(crate) mod mode_directions;
pub mod od1;
pub mod plain;
mod ring_tensors;
pub mod state_loop;
