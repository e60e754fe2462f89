//! Functions of the driver by their names, in the version of CUDA that a program was built for.

use std::ffi::{CString, c_char, c_int, c_void};

use super::pointer::{Out, Text};
use super::status::Status;

/// Functions that came with a version of CUDA, and take other arguments than what they replaced.
/// All others are older than any program that looks for them so, or take the same.
const SINCE: [(&str, c_int); 6] = [
    ("cuCtxCreate_v3", 11040),
    ("cuCtxCreate_v4", 12050),
    ("cuCtxGetDevice_v2", 13000),
    ("cuCtxSynchronize_v2", 13000),
    ("cuMemAdvise_v2", 12020),
    ("cuMemPrefetchAsync_v2", 12020),
];

/// Of `CUdriverProcAddressQueryResult`.
const FOUND: c_int = 0;
const NO_SUCH_SYMBOL: c_int = 1;

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *const c_void;
}

/// The newest function of this name that `version` had. This library was loaded first, so that what it
/// has is found first.
fn find(name: &Text, version: c_int) -> Result<*const c_void, Status> {
    let name = name.get().ok_or(Status::INVALID_VALUE)?;
    // The driver has no others.
    if !name.starts_with("cu") {
        return Err(Status::NOT_FOUND);
    }
    for suffix in ["_v4", "_v3", "_v2", ""] {
        let candidate = format!("{name}{suffix}");
        if SINCE.iter().any(|(newer, since)| *newer == candidate && version < *since) {
            continue;
        }
        let candidate = CString::new(candidate).map_err(|_| Status::INVALID_VALUE)?;
        // SAFETY: a null library is every one that is loaded; the name ends in a zero byte.
        let found = unsafe { dlsym(std::ptr::null_mut(), candidate.as_ptr()) };
        if !found.is_null() {
            return Ok(found);
        }
    }
    Err(Status::NOT_FOUND)
}

// What initialises the driver is looked for as well.
exported! {
    fn cuGetProcAddress(name: Text, function: Out<*const c_void>, version: c_int, _flags: u64) -> i32 {
        let put = find(&name, version).and_then(|found| function.put(found));
        put.map_or_else(|status| status.0, |()| 0)
    }

    fn cuGetProcAddress_v2(
        name: Text,
        function: Out<*const c_void>,
        version: c_int,
        _flags: u64,
        status: Out<c_int>,
    ) -> i32 {
        let found = match find(&name, version) {
            // It is told by the status, where there is one.
            Err(Status::NOT_FOUND) if status.put(NO_SUCH_SYMBOL).is_ok() => Ok(std::ptr::null()),
            found => {
                status.put_if_wanted(FOUND);
                found
            }
        };
        found.and_then(|found| function.put(found)).map_or_else(|status| status.0, |()| 0)
    }
}
