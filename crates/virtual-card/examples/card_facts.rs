//! Records what the virtual card needs to know of a card, on that card: `cards/NAME.toml` on stdout.
//! Lines that begin with `#` are how the driver behaves where its documentation is silent; the
//! stand-in follows them.
//!
//! Needs the driver, and for the libraries' memory cuBLAS and cuRAND on the library path.
#![allow(clippy::print_stdout, reason = "its output is a file's text")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use libloading::{Library, Symbol};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Attributes are asked for up to here; the driver refuses what it does not know.
const LAST_ATTRIBUTE: c_int = 200;

struct Driver(Library);

impl Driver {
    /// Calls a function that takes `Args` and gives a code.
    unsafe fn code<F: Copy>(&self, name: &str) -> Result<F> {
        // SAFETY: whoever calls names a function and its type as the header has it.
        let symbol: Symbol<'_, F> = unsafe { self.0.get(name.as_bytes())? };
        Ok(*symbol)
    }
}

/// Declares a function of the driver and calls it.
macro_rules! call {
    ($library:expr, $name:ident($($arg:expr => $type:ty),* $(,)?)) => {{
        // SAFETY: the types are those of the header.
        unsafe {
            let function: unsafe extern "C" fn($($type),*) -> c_int =
                $library.code(stringify!($name))?;
            function($($arg),*)
        }
    }};
}

fn ok(code: c_int, what: &str) -> Result<()> {
    if code == 0 { Ok(()) } else { Err(format!("{what}: {code}").into()) }
}

fn main() -> Result<()> {
    // SAFETY: NVIDIA's libraries run no code that could break this process when they are loaded.
    let driver = Driver(unsafe { Library::new("libcuda.so.1")? });
    ok(call!(driver, cuInit(0 => u32)), "cuInit")?;
    let (mut name, mut total, mut version) = ([0 as c_char; 128], 0usize, 0);
    ok(
        call!(driver, cuDeviceGetName(name.as_mut_ptr() => *mut c_char, 128 => c_int, 0 => c_int)),
        "name",
    )?;
    ok(call!(driver, cuDeviceTotalMem_v2(&raw mut total => *mut usize, 0 => c_int)), "memory")?;
    ok(call!(driver, cuDriverGetVersion(&raw mut version => *mut c_int)), "version")?;
    // SAFETY: the driver ends it with a zero byte.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_str()?;
    println!("name = \"{name}\"\ntotal_bytes = {total}");
    println!("driver_version = \"{}\"\ncuda_version = {version}", driver_version()?);
    libraries(&driver)?;
    println!("\n[attributes]");
    for attribute in 1..=LAST_ATTRIBUTE {
        let mut value = 0;
        let code = call!(driver, cuDeviceGetAttribute(&raw mut value => *mut c_int, attribute => c_int, 0 => c_int));
        if code == 0 {
            println!("{attribute} = {value}");
        }
    }
    println!();
    behaviour(&driver)
}

fn driver_version() -> Result<String> {
    // SAFETY: as in `main`.
    let nvml = Driver(unsafe { Library::new("libnvidia-ml.so.1")? });
    ok(call!(nvml, nvmlInit_v2()), "NVML")?;
    let mut text = [0 as c_char; 80];
    ok(
        call!(nvml, nvmlSystemGetDriverVersion(text.as_mut_ptr() => *mut c_char, 80 => u32)),
        "NVML",
    )?;
    // SAFETY: NVML ends it with a zero byte.
    Ok(unsafe { CStr::from_ptr(text.as_ptr()) }.to_str()?.to_owned())
}

/// What this process holds of the card, by NVML, which needs no context.
fn held() -> Result<u64> {
    // SAFETY: as in `main`.
    let nvml = Driver(unsafe { Library::new("libnvidia-ml.so.1")? });
    ok(call!(nvml, nvmlInit_v2()), "NVML")?;
    let mut card: *mut c_void = null_mut();
    ok(
        call!(nvml, nvmlDeviceGetHandleByIndex_v2(0 => u32, &raw mut card => *mut *mut c_void)),
        "NVML",
    )?;
    let mut memory = [0u64; 3];
    ok(
        call!(nvml, nvmlDeviceGetMemoryInfo(card => *mut c_void, memory.as_mut_ptr() => *mut u64)),
        "NVML",
    )?;
    Ok(memory[2])
}

/// Memory of the context and of candle's libraries, each by how much more the card holds after it.
fn libraries(driver: &Driver) -> Result<()> {
    let mut before = held()?;
    let mut grown = || -> Result<u64> {
        let now = held()?;
        Ok(now - std::mem::replace(&mut before, now))
    };
    println!("\n[libraries]");
    let mut context: *mut c_void = null_mut();
    ok(
        call!(driver, cuDevicePrimaryCtxRetain(&raw mut context => *mut *mut c_void, 0 => c_int)),
        "context",
    )?;
    ok(call!(driver, cuCtxSetCurrent(context => *mut c_void)), "context")?;
    println!("context = {}", grown()?);
    // SAFETY: as in `main`.
    let blas = ["libcublas.so.13", "libcublas.so.12"]
        .iter()
        .find_map(|n| unsafe { Library::new(*n) }.ok());
    let blas = Driver(blas.ok_or("no cuBLAS")?);
    let mut handle: *mut c_void = null_mut();
    ok(call!(blas, cublasCreate_v2(&raw mut handle => *mut *mut c_void)), "cuBLAS")?;
    println!("blas_handle = {}", grown()?);
    let mut matrix = 0u64;
    ok(call!(driver, cuMemAlloc_v2(&raw mut matrix => *mut u64, 32 << 20 => usize)), "memory")?;
    grown()?;
    let one = 1f32;
    let n = 1024;
    let product = call!(blas, cublasSgemm_v2(
        handle => *mut c_void, 0 => c_int, 0 => c_int, n => c_int, n => c_int, n => c_int,
        &raw const one => *const f32, matrix => u64, n => c_int, matrix + (8 << 20) => u64, n => c_int,
        &raw const one => *const f32, matrix + (16 << 20) => u64, n => c_int,
    ));
    ok(product, "product")?;
    ok(call!(driver, cuCtxSynchronize()), "product")?;
    println!("blas_workspace = {}", grown()?);
    // SAFETY: as in `main`.
    let random = Driver(unsafe { Library::new("libcurand.so.10")? });
    let mut generator: *mut c_void = null_mut();
    ok(
        call!(random, curandCreateGenerator(&raw mut generator => *mut *mut c_void, 100 => c_int)),
        "cuRAND",
    )?;
    let draw = call!(random, curandGenerateUniform(generator => *mut c_void, matrix => u64, 1024 => usize));
    ok(draw, "draw")?;
    ok(call!(driver, cuCtxSynchronize()), "draw")?;
    println!("random_generator = {}", grown()?);
    ok(call!(driver, cuMemFree_v2(matrix => u64)), "memory")
}

/// What calls do that no documentation tells.
fn behaviour(driver: &Driver) -> Result<()> {
    let alloc = |bytes: usize| -> Result<(c_int, u64)> {
        let mut address = 0u64;
        let code = call!(driver, cuMemAllocAsync(&raw mut address => *mut u64, bytes => usize, null_mut() => *mut c_void));
        Ok((code, address))
    };
    let free = |address: u64| -> Result<c_int> {
        Ok(call!(driver, cuMemFreeAsync(address => u64, null_mut() => *mut c_void)))
    };
    let (code, address) = alloc(0)?;
    println!(
        "# cuMemAllocAsync of 0 bytes: {code}, address {address:#x}, free: {}",
        free(address)?
    );
    let mut nothing = 1u64;
    let code = call!(driver, cuMemAlloc_v2(&raw mut nothing => *mut u64, 0 => usize));
    println!("# cuMemAlloc of 0 bytes: {code}, address {nothing:#x}");
    println!("# cuMemAllocAsync of 2^60 bytes: {}", alloc(1 << 60)?.0);
    let (_, address) = alloc(1000)?;
    println!("# cuMemFreeAsync of an address inside: {}", free(address + 512)?);
    println!("# cuMemFreeAsync: {}, again: {}", free(address)?, free(address)?);
    println!("# cuMemFreeAsync of 0: {}, of 4096: {}", free(0)?, free(4096)?);
    println!("# cuMemFree of 0: {}", call!(driver, cuMemFree_v2(0 => u64)));
    println!("# cuMemFree of 4096: {}", call!(driver, cuMemFree_v2(4096 => u64)));
    let (_, address) = alloc(1000)?;
    println!(
        "# cuMemFree of an address of the pool: {}",
        call!(driver, cuMemFree_v2(address => u64))
    );
    let both = || -> Result<(usize, usize)> {
        let (mut free_bytes, mut total) = (0usize, 0usize);
        ok(
            call!(driver, cuMemGetInfo_v2(&raw mut free_bytes => *mut usize, &raw mut total => *mut usize)),
            "info",
        )?;
        Ok((free_bytes, total))
    };
    let info = || Ok::<_, Box<dyn std::error::Error>>(both()?.0);
    ok(call!(driver, cuCtxSynchronize()), "synchronize")?;
    let at_first = info()?;
    for bytes in [
        1usize,
        1,
        1 << 20,
        1 << 20,
        1 << 20,
        (1 << 20) + 1,
        2 << 20,
        (2 << 20) + 1,
        3 << 20,
        64 << 20,
    ] {
        let (before, mut address) = (info()?, 0u64);
        ok(call!(driver, cuMemAlloc_v2(&raw mut address => *mut u64, bytes => usize)), "memory")?;
        println!("# cuMemAlloc of {bytes} at {address:#x}: {} less are free", before - info()?);
    }
    println!("# all of it: {}", at_first - info()?);
    let mut managed = 0u64;
    let before = info()?;
    ok(
        call!(driver, cuMemAllocManaged(&raw mut managed => *mut u64, 64 << 20 => usize, 1 => u32)),
        "managed",
    )?;
    println!("# cuMemAllocManaged of 64 MiB: {} less are free", before - info()?);
    let mut pinned: *mut c_void = null_mut();
    let before = info()?;
    ok(
        call!(driver, cuMemHostAlloc(&raw mut pinned => *mut *mut c_void, 64 << 20 => usize, 0 => u32)),
        "pinned",
    )?;
    println!("# cuMemHostAlloc of 64 MiB: {} less are free", before - info()?);
    println!("# cuMemGetInfo: {} in all", both()?.1);
    let mut table: *const c_void = null();
    let id = [0u8; 16];
    println!(
        "# cuGetExportTable of nothing: {}",
        call!(driver, cuGetExportTable(&raw mut table => *mut *const c_void, id.as_ptr() => *const u8))
    );
    // The most that one request of the pool can have, to the granule: what a card leaves.
    let mut low = 0usize;
    let mut step = 1usize << 40;
    while step >= 1 << 20 {
        let (code, address) = alloc(low + step)?;
        if code == 0 {
            low += step;
            free(address)?;
            ok(call!(driver, cuCtxSynchronize()), "synchronize")?;
        }
        step /= 2;
    }
    println!("# the largest request, with {} bytes free: {low}", info()?);
    println!("# held by NVML: {}", held()?);
    Ok(())
}
