//! cudart: kernels that register themselves before `main`, their launch, and the functions that code
//! around such kernels calls. Each is the driver's of the same meaning.

use std::cell::RefCell;
use std::ffi::{c_char, c_void};

use super::handles::Handle;
use super::launch::Arguments;
use super::pointer::{Out, Text};
use super::{
    context, copy, device, device_memory, error_names, event, host_memory, session, stream,
};

/// `dim3`, passed by value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Size3 {
    x: u32,
    y: u32,
    z: u32,
}

#[derive(Clone, Copy)]
struct Configuration {
    grid: Size3,
    block: Size3,
    shared_bytes: usize,
    stream: Handle,
}

thread_local! {
    /// Of launches that were begun and not made.
    static CONFIGURATIONS: RefCell<Vec<Configuration>> = const { RefCell::new(Vec::new()) };
}

/// `cudaErrorInvalidConfiguration`.
const INVALID_CONFIGURATION: i32 = 9;

/// Nothing tells which of a static kernel's arguments are addresses, nor how many there are.
fn launched() -> i32 {
    let done = context::with_one(|session| {
        session.written_anywhere();
        Ok(())
    });
    done.map_or_else(|status| status.0, |()| 0)
}

/// What cudart does before a call: a context is there, and codes are the driver's.
fn with_context(call: impl FnOnce() -> i32) -> i32 {
    context::need_one().map_or_else(|status| status.0, |()| call())
}

/// What it does before a call that asks about a card, and opens none.
fn initialized(call: impl FnOnce() -> i32) -> i32 {
    session::initialize().map_or_else(|status| status.0, |()| call())
}

exported! {
    fn __cudaRegisterFatBinary(_image: *const c_void) -> *mut *mut c_void {
        // An address that is the module's own; it is never followed.
        Box::leak(Box::new(std::ptr::null_mut()))
    }

    fn __cudaRegisterFatBinaryEnd(_module: *mut *mut c_void) {}

    fn __cudaUnregisterFatBinary(_module: *mut *mut c_void) {}

    fn __cudaInitModule(_module: *mut *mut c_void) -> c_char {
        0
    }

    fn __cudaRegisterFunction(_module: *mut *mut c_void, _host: *const c_char) -> i32 {
        0
    }

    fn __cudaRegisterVar(_module: *mut *mut c_void, _host: *mut c_char) {}

    fn __cudaPushCallConfiguration(grid: Size3, block: Size3, shared_bytes: usize, stream: Handle) -> u32 {
        let made = Configuration { grid, block, shared_bytes, stream };
        CONFIGURATIONS.with_borrow_mut(|begun| begun.push(made));
        0
    }

    fn __cudaPopCallConfiguration(
        grid: Out<Size3>,
        block: Out<Size3>,
        shared_bytes: Out<usize>,
        stream: Out<Handle>,
    ) -> i32 {
        let Some(begun) = CONFIGURATIONS.with_borrow_mut(Vec::pop) else { return INVALID_CONFIGURATION };
        grid.put_if_wanted(begun.grid);
        block.put_if_wanted(begun.block);
        shared_bytes.put_if_wanted(begun.shared_bytes);
        stream.put_if_wanted(begun.stream);
        0
    }

    /// A kernel is known by the host's function for it.
    fn __cudaGetKernel(kernel: Out<*const c_void>, host: *const c_void) -> i32 {
        kernel.put(host).map_or_else(|status| status.0, |()| 0)
    }

    fn __cudaLaunchKernel(
        _kernel: *const c_void, _grid: Size3, _block: Size3, _arguments: Arguments, _shared_bytes: usize,
        _stream: Handle,
    ) -> i32 {
        launched()
    }

    fn cudaLaunchKernel(
        _host: *const c_void, _grid: Size3, _block: Size3, _arguments: Arguments, _shared_bytes: usize,
        _stream: Handle,
    ) -> i32 {
        launched()
    }

    fn cudaLaunchKernelExC(_config: *const c_void, _host: *const c_void, _arguments: Arguments) -> i32 {
        launched()
    }

    fn cudaFuncSetAttribute(_host: *const c_void, _attribute: i32, _value: i32) -> i32 {
        0
    }

    fn cudaGetLastError() -> i32 {
        0
    }

    fn cudaPeekAtLastError() -> i32 {
        0
    }

    fn cudaGetErrorString(code: i32) -> *const c_char {
        error_names::meaning(code)
    }

    fn cudaRuntimeGetVersion(version: Out<i32>) -> i32 {
        device::cuDriverGetVersion(version)
    }

    fn cudaDriverGetVersion(version: Out<i32>) -> i32 {
        device::cuDriverGetVersion(version)
    }

    fn cudaGetDeviceCount(count: Out<i32>) -> i32 {
        match session::initialize() {
            Ok(()) => device::cuDeviceGetCount(count),
            Err(status) => {
                count.put_if_wanted(0);
                status.0
            }
        }
    }

    /// The first, until the thread chooses one.
    fn cudaGetDevice(number: Out<i32>) -> i32 {
        initialized(|| match context::is_there() {
            true => context::cuCtxGetDevice(number),
            false => number.put(0).map_or_else(|status| status.0, |()| 0),
        })
    }

    fn cudaSetDevice(number: i32) -> i32 {
        let mut primary: Handle = 0;
        initialized(|| match context::cuDevicePrimaryCtxRetain(Out(&raw mut primary), number) {
            0 => context::cuCtxSetCurrent(primary),
            code => code,
        })
    }

    fn cudaDeviceGetAttribute(value: Out<i32>, attribute: i32, number: i32) -> i32 {
        initialized(|| device::cuDeviceGetAttribute(value, attribute, number))
    }

    fn cudaDeviceGetPCIBusId(text: *mut c_char, room: i32, number: i32) -> i32 {
        initialized(|| device::cuDeviceGetPCIBusId(text, room, number))
    }

    fn cudaDeviceGetByPCIBusId(number: Out<i32>, text: Text) -> i32 {
        initialized(|| device::cuDeviceGetByPCIBusId(number, text))
    }

    fn cudaDeviceSynchronize() -> i32 {
        with_context(|| context::cuCtxSynchronize())
    }

    fn cudaStreamSynchronize(stream: Handle) -> i32 {
        with_context(|| stream::cuStreamSynchronize(stream))
    }

    fn cudaStreamCreate(to: Out<Handle>) -> i32 {
        with_context(|| stream::cuStreamCreate(to, 0))
    }

    fn cudaStreamDestroy(stream: Handle) -> i32 {
        stream::cuStreamDestroy_v2(stream)
    }

    fn cudaEventCreate(to: Out<Handle>) -> i32 {
        with_context(|| event::cuEventCreate(to, 0))
    }

    fn cudaEventDestroy(of: Handle) -> i32 {
        event::cuEventDestroy_v2(of)
    }

    /// Of no bytes, which the driver refuses, it makes an allocation without an address.
    fn cudaMalloc(to: Out<u64>, bytes: usize) -> i32 {
        with_context(|| match bytes {
            0 => to.put(0).map_or_else(|status| status.0, |()| 0),
            _ => device_memory::cuMemAlloc_v2(to, bytes),
        })
    }

    fn cudaFree(address: u64) -> i32 {
        with_context(|| device_memory::cuMemFree_v2(address))
    }

    fn cudaMallocAsync(to: Out<u64>, bytes: usize, stream: Handle) -> i32 {
        with_context(|| device_memory::cuMemAllocAsync(to, bytes, stream))
    }

    fn cudaFreeAsync(address: u64, stream: Handle) -> i32 {
        with_context(|| device_memory::cuMemFreeAsync(address, stream))
    }

    fn cudaMallocHost(to: Out<usize>, bytes: usize) -> i32 {
        with_context(|| host_memory::cuMemAllocHost_v2(to, bytes))
    }

    fn cudaFreeHost(at: usize) -> i32 {
        with_context(|| host_memory::cuMemFreeHost(at))
    }

    fn cudaMemGetInfo(free: Out<usize>, total: Out<usize>) -> i32 {
        with_context(|| device_memory::cuMemGetInfo_v2(free, total))
    }

    fn cudaMemcpy(to: u64, from: u64, bytes: usize, _way: i32) -> i32 {
        with_context(|| copy::cuMemcpy(to, from, bytes))
    }

    fn cudaMemcpyAsync(to: u64, from: u64, bytes: usize, _way: i32, stream: Handle) -> i32 {
        with_context(|| copy::cuMemcpyAsync(to, from, bytes, stream))
    }

    fn cudaMemset(to: u64, value: i32, bytes: usize) -> i32 {
        with_context(|| copy::cuMemsetD8_v2(to, value as u8, bytes))
    }

    fn cudaMemsetAsync(to: u64, value: i32, bytes: usize, stream: Handle) -> i32 {
        with_context(|| copy::cuMemsetD8Async(to, value as u8, bytes, stream))
    }
}
