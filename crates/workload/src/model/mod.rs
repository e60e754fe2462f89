//! OD1 in candle's terms: named tensors from a `VarBuilder`, and the plain forward on them.

pub(crate) mod draw;
pub(crate) mod mode_directions;
pub(crate) mod od1;
pub(crate) mod plain;
mod ring_tensors;
pub(crate) mod state_loop;
