//! Systems without a meter of host memory: the allocator is the system's, the meter an error.

use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;

use crate::meter::{Meter, MeterError, Reading};

/// The system's allocator: there is no meter for it here.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostAllocator;

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for HostAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(block, layout) }
    }
}

/// A meter that does not exist on this system.
#[derive(Debug)]
pub struct HostMeter(Infallible);

impl HostMeter {
    /// Always fails on this system.
    ///
    /// # Errors
    ///
    /// [`MeterError::Unsupported`].
    pub fn new() -> Result<Self, MeterError> {
        Err(MeterError::Unsupported(std::env::consts::OS))
    }
}

impl Meter for HostMeter {
    fn allocated(&self) -> Result<Reading, MeterError> {
        match self.0 {}
    }

    fn reserved(&self) -> Result<Reading, MeterError> {
        match self.0 {}
    }

    fn reset_peaks(&self) -> Result<(), MeterError> {
        match self.0 {}
    }
}
