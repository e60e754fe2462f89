//! A card's primary context, current in this thread for as long as a sequence is played.

use std::ptr;

use cudarc::driver::result::{ctx, device, primary_ctx};
use cudarc::driver::sys::{CUcontext, CUdevice};
use vram_metrics::driver::DriverError;

/// Releases the context when it goes, and makes that current again that was before.
#[derive(Debug)]
pub(crate) struct Context {
    device: CUdevice,
    before: CUcontext,
}

impl Context {
    /// Of the card of this number.
    pub(crate) fn new(ordinal: usize) -> Result<Self, DriverError> {
        let refused = |call| move |error| DriverError::of(call, error);
        let number = i32::try_from(ordinal).unwrap_or(i32::MAX);
        let device = device::get(number).map_err(refused("cuDeviceGet"))?;
        let before = ctx::get_current().map_err(refused("cuCtxGetCurrent"))?;
        // SAFETY: the device is the driver's own handle.
        let context =
            unsafe { primary_ctx::retain(device) }.map_err(refused("cuDevicePrimaryCtxRetain"))?;
        let retained = Self { device, before: before.unwrap_or(ptr::null_mut()) };
        // SAFETY: the context was retained, and is until `retained` goes.
        unsafe { ctx::set_current(context) }.map_err(refused("cuCtxSetCurrent"))?;
        Ok(retained)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // A driver that fails here has failed before, and was told of: nothing is left to undo.
        // SAFETY: it was current before, or there was none.
        let _ = unsafe { ctx::set_current(self.before) };
        // SAFETY: retained once, by `new`.
        let _ = unsafe { primary_ctx::release(self.device) };
    }
}
