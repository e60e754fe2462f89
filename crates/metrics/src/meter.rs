//! What a meter of memory answers, and why it may not.

/// One of a meter's two counters, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Now.
    pub current: u64,
    /// The most since the last reset.
    pub peak: u64,
}

/// Answers the two questions of the probe contract (VRA-32) from an allocator's own counters.
///
/// There is no estimate behind this trait: a meter that cannot read its counters says so.
pub trait Meter {
    /// Bytes that the program asked for and has not given back.
    ///
    /// # Errors
    ///
    /// If the counter cannot be read.
    fn allocated(&self) -> Result<Reading, MeterError>;

    /// Bytes that the allocator holds from the device, used or kept for reuse.
    ///
    /// # Errors
    ///
    /// If the counter cannot be read.
    fn reserved(&self) -> Result<Reading, MeterError>;

    /// Makes both peaks what is current now.
    ///
    /// # Errors
    ///
    /// If the counters cannot be written.
    fn reset_peaks(&self) -> Result<(), MeterError>;

    /// Bytes in use on the device that this meter does not count, other processes' among them. What
    /// it counts belongs to the process whatever the others do; but a run beside which this
    /// moves was not alone. None where the device is the process's own, as the host's allocator is.
    fn outside_bytes(&self) -> Option<Result<u64, MeterError>> {
        None
    }
}

/// Why a meter cannot answer. Never a zero instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeterError {
    /// The binary does not allocate through [`HostAllocator`](crate::host::HostAllocator).
    #[error(
        "this binary's memory is not metered: declare \
         `#[global_allocator] static ALLOC: vram_metrics::host::HostAllocator = vram_metrics::host::HostAllocator;`"
    )]
    NotInstalled,

    /// The operating system has no implementation of the meter.
    #[error("host memory cannot be metered on {0}: the meter needs a Unix system")]
    Unsupported(&'static str),

    /// The card's memory pool does not answer.
    #[error("the card's memory pool cannot be read: {call} failed: {reason}")]
    Pool {
        /// The driver's function.
        call: &'static str,
        /// What the driver said.
        reason: String,
    },

    /// No step was over when the run ended.
    #[error("no step was measured before the end")]
    NothingMeasured,

    /// NVML does not answer.
    #[error("{0}")]
    Nvml(String),
}
