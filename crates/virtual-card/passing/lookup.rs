//! Functions of the driver by their names: the driver is asked, and what comes by here is handed out in
//! its place.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::driver::{self, SUCCESS};
use super::names;

/// `CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM`.
const PER_THREAD: u64 = 2;

/// Functions whose name stands for another one since a version of CUDA. Programs that look for functions
/// so are newer than most.
const NAMES: [(&str, c_int, &str); 11] = [
    ("cuArray3DCreate", 3020, "cuArray3DCreate_v2"),
    ("cuArrayCreate", 3020, "cuArrayCreate_v2"),
    ("cuCtxSynchronize", 13000, "cuCtxSynchronize_v2"),
    ("cuEventDestroy", 4000, "cuEventDestroy_v2"),
    ("cuGetProcAddress", 12000, "cuGetProcAddress_v2"),
    ("cuIpcOpenMemHandle", 11000, "cuIpcOpenMemHandle_v2"),
    ("cuMemAlloc", 3020, "cuMemAlloc_v2"),
    ("cuMemAllocHost", 3020, "cuMemAllocHost_v2"),
    ("cuMemAllocPitch", 3020, "cuMemAllocPitch_v2"),
    ("cuMemFree", 3020, "cuMemFree_v2"),
    ("cuStreamBeginCapture", 10010, "cuStreamBeginCapture_v2"),
];

/// What is handed out for a name in place of the driver's function.
fn ours(name: &str, version: c_int, flags: u64) -> Option<*const c_void> {
    let newer = NAMES.iter().find(|(asked, since, _)| *asked == name && version >= *since);
    let name = newer.map_or(name, |(_, _, stands_for)| *stands_for);
    let per_thread = (flags & PER_THREAD != 0).then(|| names::entry(&format!("{name}_ptsz")));
    per_thread.flatten().or_else(|| names::entry(name))
}

fn replace(name: *const c_char, function: *mut *const c_void, version: c_int, flags: u64) {
    if name.is_null() || function.is_null() {
        return;
    }
    // SAFETY: the driver took both: a name that ends in a zero byte, and a place that it wrote to.
    let (name, found) = unsafe { (CStr::from_ptr(name), *function) };
    let ours =
        name.to_str().ok().filter(|_| !found.is_null()).and_then(|n| ours(n, version, flags));
    if let Some(ours) = ours {
        // SAFETY: as above.
        unsafe { *function = ours };
    }
}

passed! {
    fn cuGetProcAddress(name: *const c_char, function: *mut *const c_void, version: c_int, flags: u64) {
        // SAFETY: passed on as it came.
        let code = unsafe { (driver::get().cuGetProcAddress)(name, function, version, flags) };
        if code == SUCCESS {
            replace(name, function, version, flags);
        }
        code
    }

    fn cuGetProcAddress_v2(
        name: *const c_char,
        function: *mut *const c_void,
        version: c_int,
        flags: u64,
        status: *mut c_int,
    ) {
        // SAFETY: passed on as it came.
        let code = unsafe { (driver::get().cuGetProcAddress_v2)(name, function, version, flags, status) };
        if code == SUCCESS {
            replace(name, function, version, flags);
        }
        code
    }

    fn cuGetProcAddress_v2_ptsz(
        name: *const c_char,
        function: *mut *const c_void,
        version: c_int,
        flags: u64,
        status: *mut c_int,
    ) {
        // SAFETY: passed on as it came.
        let code = unsafe { (driver::get().cuGetProcAddress_v2_ptsz)(name, function, version, flags, status) };
        if code == SUCCESS {
            // Without a flag it is the thread's own stream.
            replace(name, function, version, if flags == 0 { PER_THREAD } else { flags });
        }
        code
    }
}
