//! A value in a file that other processes map too, and that outlives this one.

use std::ffi::{c_int, c_long, c_void};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::Path;

unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        bytes: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: c_long,
    ) -> *mut c_void;
}

const READ_AND_WRITE: c_int = 3;
const SHARED: c_int = 1;

/// Types that are any bytes, zeros to begin with, and only ever changed atomically.
///
/// # Safety
///
/// Every field must be an atomic integer.
pub unsafe trait Shared {}

// SAFETY: atomic integers alone, in both.
unsafe impl Shared for crate::protocol::Counters {}
// SAFETY: as above.
unsafe impl Shared for crate::protocol::Totals {}

/// Maps the file at `path`, made if it is not there, for as long as the process lives.
pub fn map<T: Shared>(path: &Path) -> std::io::Result<&'static T> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let bytes = size_of::<T>();
    if file.metadata()?.len() < bytes as u64 {
        file.set_len(bytes as u64)?;
    }
    let at = map_at(&file, bytes, 0)?;
    // SAFETY: the mapping is as long as a `T`, aligned to a page, never unmapped, and any bytes are
    // one (`Shared`).
    Ok(unsafe { &*at.cast::<T>() })
}

/// Maps `bytes` of a file from `offset` on, a multiple of the size of a page. Nothing unmaps them.
pub fn map_at(file: &File, bytes: usize, offset: c_long) -> std::io::Result<*mut c_void> {
    let at = std::ptr::null_mut();
    // SAFETY: a new mapping, nobody else's address.
    let at = unsafe { mmap(at, bytes, READ_AND_WRITE, SHARED, file.as_raw_fd(), offset) };
    if at.addr() == usize::MAX {
        return Err(std::io::Error::last_os_error());
    }
    Ok(at)
}
