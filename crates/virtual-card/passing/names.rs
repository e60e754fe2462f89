//! Every function that the headers name: where the jump of each leads.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::driver;
use super::session;

/// A function as the build script lays it out: a jump to `target`, unless it is one of this library's.
#[repr(C)]
pub struct Row {
    name: *const c_char,
    /// What a program calls.
    entry: *const c_void,
    /// What finds out where it leads, and then that.
    target: AtomicPtr<c_void>,
    kind: u64,
}

/// It allocates, or may, what is not counted: its first call is written down. 0 is a plain jump, 1 a
/// function of this library's.
const PLAIN: u64 = 0;
const UNCOUNTED: u64 = 2;

static ROWS: AtomicPtr<Row> = AtomicPtr::new(std::ptr::null_mut());
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Told once, before the program begins.
#[unsafe(export_name = "vram_trace_rows")]
pub extern "C" fn begin(rows: *mut Row, count: usize) {
    COUNT.store(count, Ordering::Relaxed);
    ROWS.store(rows, Ordering::Release);
}

fn rows() -> &'static [Row] {
    let rows = ROWS.load(Ordering::Acquire);
    if rows.is_null() {
        return &[];
    }
    // SAFETY: the build script lays out as many, and they stay.
    unsafe { std::slice::from_raw_parts(rows, COUNT.load(Ordering::Relaxed)) }
}

impl Row {
    fn name(&self) -> &'static CStr {
        // SAFETY: the build script ends names in a zero byte, and they stay.
        unsafe { CStr::from_ptr(self.name) }
    }
}

/// Where the jump of a function leads. Called at its first call, with what it was called with saved.
#[unsafe(export_name = "vram_trace_resolve")]
pub extern "C" fn resolve(number: usize) -> *const c_void {
    let driver = driver::get();
    for row in rows().iter().filter(|row| row.kind == PLAIN) {
        row.target.store(driver.find(row.name()).0.cast_mut(), Ordering::Release);
    }
    if !driver.is_there() {
        session::note_no_driver();
    }
    let Some(row) = rows().get(number) else { return driver.find(c"").0 };
    let target = driver.find(row.name());
    row.target.store(target.0.cast_mut(), Ordering::Release);
    if row.kind == UNCOUNTED {
        session::note_uncounted(&row.name().to_string_lossy());
    }
    target.0
}

/// What a program that looks for a function is given in the driver's place; `None` for what need not
/// come by here.
pub fn entry(name: &str) -> Option<*const c_void> {
    let row = rows().iter().find(|row| row.name().to_bytes() == name.as_bytes())?;
    (row.kind != PLAIN).then_some(row.entry)
}
