//! Names and meanings of the driver's codes.

use std::ffi::{CStr, c_char};

use super::pointer::Out;
use super::status::Status;

/// Codes that are answered: number, name, meaning.
const KNOWN: [(i32, &CStr, &CStr); 16] = [
    (0, c"CUDA_SUCCESS", c"no error"),
    (1, c"CUDA_ERROR_INVALID_VALUE", c"invalid argument"),
    (2, c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
    (3, c"CUDA_ERROR_NOT_INITIALIZED", c"initialization error"),
    (4, c"CUDA_ERROR_DEINITIALIZED", c"driver shutting down"),
    (46, c"CUDA_ERROR_DEVICE_UNAVAILABLE", c"CUDA-capable device(s) is/are busy or unavailable"),
    (100, c"CUDA_ERROR_NO_DEVICE", c"no CUDA-capable device is detected"),
    (101, c"CUDA_ERROR_INVALID_DEVICE", c"invalid device ordinal"),
    (200, c"CUDA_ERROR_INVALID_IMAGE", c"device kernel image is invalid"),
    (201, c"CUDA_ERROR_INVALID_CONTEXT", c"invalid device context"),
    (400, c"CUDA_ERROR_INVALID_HANDLE", c"invalid resource handle"),
    (500, c"CUDA_ERROR_NOT_FOUND", c"named symbol not found"),
    (
        712,
        c"CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
        c"part or all of the requested memory range is already mapped",
    ),
    (
        713,
        c"CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
        c"pointer does not correspond to a registered memory region",
    ),
    (801, c"CUDA_ERROR_NOT_SUPPORTED", c"operation not supported"),
    (999, c"CUDA_ERROR_UNKNOWN", c"unknown error"),
];

fn known(code: i32) -> Option<(&'static CStr, &'static CStr)> {
    KNOWN.iter().find(|(number, _, _)| *number == code).map(|(_, name, meaning)| (*name, *meaning))
}

exported! {
    fn cuGetErrorName(code: i32, out: Out<*const c_char>) -> i32 {
        explain(known(code).map(|(name, _)| name), &out)
    }

    fn cuGetErrorString(code: i32, out: Out<*const c_char>) -> i32 {
        explain(known(code).map(|(_, meaning)| meaning), &out)
    }
}

fn explain(text: Option<&'static CStr>, out: &Out<*const c_char>) -> i32 {
    let text_or_null = text.map_or(std::ptr::null(), CStr::as_ptr);
    match (out.put(text_or_null), text) {
        (Ok(()), Some(_)) => 0,
        _ => Status::INVALID_VALUE.0,
    }
}

/// The text of a code, which cudart and NVML answer with too.
pub fn meaning(code: i32) -> *const c_char {
    known(code).map_or(c"unrecognized error code", |(_, meaning)| meaning).as_ptr()
}
