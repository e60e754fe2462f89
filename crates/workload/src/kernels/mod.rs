//! One file per kernel, each opening with its equation and the shapes it takes.

pub(crate) mod adam;
pub(crate) mod gemm;
pub(crate) mod gru;
pub(crate) mod linear;
pub(crate) mod pointer;
pub(crate) mod readout;
pub(crate) mod ring;
