//! Memory of a step: buffers on the device, and the log of what was asked for. Knows
//! candle's devices and nothing of OD1.

pub(crate) mod buffer;
#[cfg(feature = "cuda")]
pub(crate) mod card;
pub(crate) mod context;
pub(crate) mod host;
#[cfg(feature = "cuda")]
pub(crate) mod launch;
pub(crate) mod log;
#[cfg(feature = "cuda")]
pub(crate) mod pointer;
