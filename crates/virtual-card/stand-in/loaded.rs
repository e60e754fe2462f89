//! Libraries of NVIDIA's that are in the process all the same: what they allocate is not seen.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::EVENTS;

use super::record::Record;

/// How their names begin.
const NAMES: [&str; 15] = [
    "libcuda.so",
    "libcublas.so",
    "libcublasLt.so",
    "libcurand.so",
    "libnvrtc.so",
    "libcudart.so",
    "libnvidia-ml.so",
    "libcudnn",
    "libnccl.so",
    "libcufft.so",
    "libcusolver.so",
    "libcusparse.so",
    "libcutensor",
    "libnvinfer",
    "libnvidia-ptxjitcompiler.so",
];

#[repr(C)]
struct Object {
    address: usize,
    name: *const c_char,
    headers: *const c_void,
    header_count: u16,
    added: u64,
    removed: u64,
}

#[repr(C)]
struct Origin {
    file: *const c_char,
    base: *const c_void,
    symbol: *const c_char,
    address: *const c_void,
}

type Visit = unsafe extern "C" fn(*const Object, usize, *mut c_void) -> c_int;

unsafe extern "C" {
    fn dl_iterate_phdr(visit: Visit, data: *mut c_void) -> c_int;
    fn dladdr(address: *const c_void, origin: *mut Origin) -> c_int;
}

/// The file of this library.
fn own_file() -> Option<PathBuf> {
    let mut origin = Origin {
        file: std::ptr::null(),
        base: std::ptr::null(),
        symbol: std::ptr::null(),
        address: std::ptr::null(),
    };
    // SAFETY: any address may be asked for; the answer is written into `origin`.
    let found = unsafe { dladdr(own_file as *const c_void, &raw mut origin) };
    if found == 0 || origin.file.is_null() {
        return None;
    }
    // SAFETY: the loader's own name of a library that stays loaded.
    let file = unsafe { CStr::from_ptr(origin.file) };
    Path::new(file.to_str().ok()?).canonicalize().ok()
}

unsafe extern "C" fn collect(object: *const Object, _: usize, names: *mut c_void) -> c_int {
    // SAFETY: `check` passes a list of paths, and the loader an object with a name that ends in zero.
    let (names, name) = unsafe { (&mut *names.cast::<Vec<PathBuf>>(), (*object).name) };
    if !name.is_null() {
        // SAFETY: as above.
        let name = unsafe { CStr::from_ptr(name) };
        names.push(PathBuf::from(name.to_string_lossy().into_owned()));
    }
    0
}

/// Writes down each library of NVIDIA's that is mapped into this process.
pub fn check(record: &mut Record) {
    let mut names: Vec<PathBuf> = Vec::new();
    // SAFETY: `collect` takes the list that is passed.
    unsafe { dl_iterate_phdr(collect, (&raw mut names).cast()) };
    let own = own_file();
    for path in names {
        let named = path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            NAMES.iter().any(|begin| name.starts_with(begin))
        });
        if named && path.canonicalize().ok() != own {
            record.event_once("library", &path.display().to_string());
        }
    }
}

unsafe extern "C" fn count(object: *const Object, _: usize, added: *mut c_void) -> c_int {
    // SAFETY: `check_if_changed` passes a number, and the loader an object.
    unsafe { *added.cast::<u64>() = (*object).added };
    1
}

/// The same, if any library was loaded since it was asked for last.
pub fn check_if_changed(record: &mut Record) {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let mut added = 0u64;
    // SAFETY: `count` takes the number that is passed.
    unsafe { dl_iterate_phdr(count, (&raw mut added).cast()) };
    if SEEN.swap(added, Ordering::Relaxed) != added {
        check(record);
    }
}

/// Writes down that a copy of a process that had initialised the driver called it. The copy's own
/// state is its parent's, whose lock may be held by a thread that was not copied.
pub fn note_in_copy(directory: &str) {
    let Some(directory) = std::env::var_os(directory) else { return };
    let path = Path::new(&directory).join(format!("copy.{EVENTS}"));
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(path) {
        let _ = file.write_all(b"forked\n");
    }
}
