//! Libraries of NVIDIA's that are in the process all the same: what they allocate is not seen.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::EVENTS;

use super::objects;
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
struct Origin {
    file: *const c_char,
    base: *const c_void,
    symbol: *const c_char,
    address: *const c_void,
}

unsafe extern "C" {
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

/// Writes down each library of NVIDIA's that is mapped into this process.
pub fn check(record: &mut Record) {
    let mut names: Vec<PathBuf> = Vec::new();
    objects::each(|object| names.push(object.path().to_owned()));
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

/// The same, if any library was loaded since it was asked for last.
pub fn check_if_changed(record: &mut Record) {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let added = objects::added();
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
