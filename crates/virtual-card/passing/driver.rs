//! The real driver, opened when it is first called.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ops::Deref;
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

use crate::protocol::DRIVER_VARIABLE;

/// `CUDA_SUCCESS`.
pub const SUCCESS: i32 = 0;

/// `CUDA_ERROR_OUT_OF_MEMORY`.
pub const OUT_OF_MEMORY: i32 = 2;

/// What a function answers that the driver lacks: `CUDA_ERROR_NOT_SUPPORTED`.
const NOT_SUPPORTED: i32 = 801;

/// What all of them answer where there is no driver: `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: i32 = 100;

/// A context, a pool, a stream or an event.
pub type Handle = usize;

unsafe extern "C" {
    fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *const c_void;
}

/// `RTLD_NOW`, and no symbol of it for anyone else.
const NOW: c_int = 2;

extern "C" fn lacks() -> i32 {
    NOT_SUPPORTED
}

extern "C" fn is_not_there() -> i32 {
    NO_DEVICE
}

/// A place of code.
#[derive(Clone, Copy)]
pub struct Place(pub *const c_void);

// SAFETY: code that is never unloaded, and nothing but an address.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

struct Library(Option<Place>);

impl Library {
    fn open() -> Self {
        let file = std::env::var_os(DRIVER_VARIABLE).and_then(|f| CString::new(f.into_vec()).ok());
        let opened = file.map(|file| {
            // SAFETY: a path that ends in a zero byte.
            unsafe { dlopen(file.as_ptr(), NOW) }
        });
        Self(opened.filter(|library| !library.is_null()).map(|library| Place(library.cast_const())))
    }

    /// A function of the driver's, or one that answers that it has none.
    fn find(&self, name: &CStr) -> Place {
        let Some(library) = self.0 else { return Place(is_not_there as *const c_void) };
        // SAFETY: a library that is open, a name that ends in a zero byte.
        let found = unsafe { dlsym(library.0.cast_mut(), name.as_ptr()) };
        Place(if found.is_null() { lacks as *const c_void } else { found })
    }
}

/// The functions of the driver that are called here.
macro_rules! functions {
    ($($name:ident($($type:ty),*);)*) => {
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($type),*) -> i32,)*
        }

        impl Functions {
            fn of(library: &Library) -> Self {
                $(
                    let text = concat!(stringify!($name), "\0").as_bytes();
                    let name = CStr::from_bytes_with_nul(text).unwrap_or_default();
                    // SAFETY: the driver's function of this name takes these, by its header; one that
                    // answers that there is none takes anything.
                    let $name = unsafe {
                        std::mem::transmute::<*const c_void, unsafe extern "C" fn($($type),*) -> i32>(
                            library.find(name).0,
                        )
                    };
                )*
                Self { $($name,)* }
            }
        }
    };
}

functions! {
    cuCtxGetCurrent(*mut Handle);
    cuCtxGetDevice(*mut i32);
    cuCtxSynchronize();
    cuCtxSynchronize_v2(Handle);
    cuDeviceGetMemPool(*mut Handle, i32);
    cuDeviceGetName(*mut c_char, i32, i32);
    cuDeviceSetMemPool(i32, Handle);
    cuDeviceTotalMem_v2(*mut usize, i32);
    cuDriverGetVersion(*mut i32);
    cuEventDestroy_v2(Handle);
    cuEventRecord(Handle, Handle);
    cuEventRecord_ptsz(Handle, Handle);
    cuEventRecordWithFlags(Handle, Handle, u32);
    cuEventRecordWithFlags_ptsz(Handle, Handle, u32);
    cuEventSynchronize(Handle);
    cuGetProcAddress(*const c_char, *mut *const c_void, c_int, u64);
    cuGetProcAddress_v2(*const c_char, *mut *const c_void, c_int, u64, *mut c_int);
    cuGetProcAddress_v2_ptsz(*const c_char, *mut *const c_void, c_int, u64, *mut c_int);
    cuMemAllocAsync(*mut u64, usize, Handle);
    cuMemAllocAsync_ptsz(*mut u64, usize, Handle);
    cuMemAllocFromPoolAsync(*mut u64, usize, Handle, Handle);
    cuMemAllocFromPoolAsync_ptsz(*mut u64, usize, Handle, Handle);
    cuMemAllocHost_v2(*mut *mut c_void, usize);
    cuMemAllocManaged(*mut u64, usize, u32);
    cuMemAllocPitch_v2(*mut u64, *mut usize, usize, usize, u32);
    cuMemAlloc_v2(*mut u64, usize);
    cuMemCreate(*mut u64, usize, *const [i32; 4], u64);
    cuMemFreeAsync(u64, Handle);
    cuMemFreeAsync_ptsz(u64, Handle);
    cuMemFreeHost(*mut c_void);
    cuMemFree_v2(u64);
    cuMemGetInfo_v2(*mut usize, *mut usize);
    cuMemHostAlloc(*mut *mut c_void, usize, u32);
    cuMemPoolCreate(*mut Handle, *const [i32; 4]);
    cuMemPoolDestroy(Handle);
    cuMemPoolGetAttribute(Handle, i32, *mut c_void);
    cuMemPoolSetAttribute(Handle, i32, *mut c_void);
    cuMemPoolTrimTo(Handle, usize);
    cuMemRelease(u64);
    cuMemSetMemPool(*const c_void, i32, Handle);
    cuStreamSynchronize(Handle);
    cuStreamSynchronize_ptsz(Handle);
    cuStreamWaitEvent(Handle, Handle, u32);
    cuStreamWaitEvent_ptsz(Handle, Handle, u32);
}

/// The driver.
pub struct Driver {
    library: Library,
    functions: Functions,
}

impl Deref for Driver {
    type Target = Functions;

    fn deref(&self) -> &Functions {
        &self.functions
    }
}

impl Driver {
    fn open() -> Self {
        let library = Library::open();
        Self { functions: Functions::of(&library), library }
    }

    /// Any of its functions.
    pub fn find(&self, name: &CStr) -> Place {
        self.library.find(name)
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.library.0.is_some()
    }

    /// The device of the calling thread's context.
    pub fn current_device(&self) -> Option<i32> {
        use std::cell::Cell;
        thread_local! {
            /// The context that was asked for last, and its device.
            static SEEN: Cell<(Handle, i32)> = const { Cell::new((0, 0)) };
        }
        let mut context = 0;
        // SAFETY: a place to write a handle to.
        let code = unsafe { (self.cuCtxGetCurrent)(&raw mut context) };
        if code != SUCCESS || context == 0 {
            return None;
        }
        let (seen, device) = SEEN.try_with(Cell::get).unwrap_or_default();
        if seen == context {
            return Some(device);
        }
        let mut device = 0;
        // SAFETY: a place to write a number to.
        if unsafe { (self.cuCtxGetDevice)(&raw mut device) } != SUCCESS {
            return None;
        }
        let _ = SEEN.try_with(|cell| cell.set((context, device)));
        Some(device)
    }

    /// A number that a pool keeps.
    pub fn pool_attribute(&self, pool: Handle, attribute: i32) -> Option<u64> {
        let mut value = 0u64;
        // SAFETY: no attribute is larger.
        let code =
            unsafe { (self.cuMemPoolGetAttribute)(pool, attribute, (&raw mut value).cast()) };
        (code == SUCCESS).then_some(value)
    }
}

/// The driver, opened if it is not yet.
pub fn get() -> &'static Driver {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    DRIVER.get_or_init(Driver::open)
}
