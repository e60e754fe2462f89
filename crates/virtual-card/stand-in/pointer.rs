//! Arguments that are addresses of the caller's memory.

use std::ffi::{CStr, c_char};

use super::status::Status;

/// Where a function writes one value. Null is refused as the driver refuses it.
#[repr(transparent)]
pub struct Out<T>(pub *mut T);

impl<T> Out<T> {
    pub fn put(&self, value: T) -> Result<(), Status> {
        if self.0.is_null() {
            return Err(Status::INVALID_VALUE);
        }
        // SAFETY: whoever calls passes an address to write a `T` to, by the header's contract.
        unsafe { self.0.write_unaligned(value) };
        Ok(())
    }

    /// For arguments that may be null.
    pub fn put_if_wanted(&self, value: T) {
        let _ = self.put(value);
    }
}

/// Where a function reads one value from.
#[repr(transparent)]
pub struct In<T>(pub *const T);

impl<T: Copy> In<T> {
    pub fn get(&self) -> Option<T> {
        // SAFETY: whoever calls passes null or the address of a `T`, by the header's contract.
        (!self.0.is_null()).then(|| unsafe { self.0.read_unaligned() })
    }
}

/// A text that ends in a zero byte.
#[repr(transparent)]
pub struct Text(pub *const c_char);

impl Text {
    pub fn get(&self) -> Option<String> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: whoever calls passes a text that ends in a zero byte, by the header's contract.
        Some(unsafe { CStr::from_ptr(self.0) }.to_string_lossy().into_owned())
    }
}

/// Memory of the host that a copy reads.
pub fn host_bytes<'a>(from: *const u8, bytes: usize) -> Result<&'a [u8], Status> {
    if from.is_null() {
        return if bytes == 0 { Ok(&[]) } else { Err(Status::INVALID_VALUE) };
    }
    // SAFETY: whoever calls passes `bytes` readable bytes, by the header's contract; they are looked
    // at during the call alone.
    Ok(unsafe { std::slice::from_raw_parts(from, bytes) })
}

/// Memory of the host that a copy writes.
pub fn host_bytes_mut<'a>(to: *mut u8, bytes: usize) -> Result<&'a mut [u8], Status> {
    if to.is_null() {
        return if bytes == 0 { Ok(&mut []) } else { Err(Status::INVALID_VALUE) };
    }
    // SAFETY: as in `host_bytes`, for writing.
    Ok(unsafe { std::slice::from_raw_parts_mut(to, bytes) })
}

/// Writes `text` and a zero byte into `room` bytes at `to`, cut short if it must be.
pub fn put_text(to: *mut c_char, room: usize, text: &str) -> Result<(), Status> {
    let to = host_bytes_mut(to.cast(), room)?;
    let Some(last) = room.checked_sub(1) else { return Err(Status::INVALID_VALUE) };
    let taken = text.len().min(last);
    to[..taken].copy_from_slice(&text.as_bytes()[..taken]);
    to[taken] = 0;
    Ok(())
}
