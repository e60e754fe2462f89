//! Fallible buffers: a step that does not fit is an error its caller can record, not an abort.

use std::mem::MaybeUninit;

use crate::error::WorkloadError;

/// `len` elements that hold zero.
pub(crate) fn zeroed<T: Clone + Default>(
    what: &'static str,
    len: usize,
) -> Result<Vec<T>, WorkloadError> {
    let mut buffer = reserved(what, len)?;
    buffer.resize(len, T::default());
    Ok(buffer)
}

/// `len` elements that hold nothing yet: for buffers that are written before they are read, where
/// a pass of zeros would cost as much as the work itself.
pub(crate) fn uninit(
    what: &'static str,
    len: usize,
) -> Result<Vec<MaybeUninit<f32>>, WorkloadError> {
    let mut buffer = reserved(what, len)?;
    // SAFETY: the capacity is reserved, and `MaybeUninit` needs no initialisation.
    unsafe { buffer.set_len(len) };
    Ok(buffer)
}

fn reserved<T>(what: &'static str, len: usize) -> Result<Vec<T>, WorkloadError> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(len).map_err(|_| WorkloadError::OutOfMemory {
        what,
        bytes: (len as u64).saturating_mul(size_of::<T>() as u64),
    })?;
    Ok(buffer)
}
