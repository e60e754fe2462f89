//! The files that the loader has in the process.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::ops::{ControlFlow, Range};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

#[repr(C)]
struct Header {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    physical: u64,
    in_file: u64,
    in_memory: u64,
    alignment: u64,
}

/// A file, while the loader shows it.
#[repr(C)]
pub struct Object {
    bias: usize,
    name: *const c_char,
    headers: *const Header,
    header_count: u16,
    added: u64,
    removed: u64,
}

type Visit<'a> = &'a mut dyn FnMut(&Object) -> ControlFlow<()>;
type Call = unsafe extern "C" fn(*const c_void, usize, *mut c_void) -> c_int;

unsafe extern "C" {
    fn dl_iterate_phdr(call: Call, data: *mut c_void) -> c_int;
}

/// `PT_LOAD`, and the flag `PF_X`.
const LOADED: u32 = 1;
const EXECUTABLE: u32 = 1;

impl Object {
    /// Empty for the program itself.
    pub fn path(&self) -> &Path {
        if self.name.is_null() {
            return Path::new("");
        }
        // SAFETY: the loader's names end in a zero byte.
        Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(self.name) }.to_bytes()))
    }

    /// What is added to an address of the file's to get where it lies.
    pub fn bias(&self) -> usize {
        self.bias
    }

    /// Where its code lies.
    pub fn code(&self) -> impl Iterator<Item = Range<usize>> {
        let headers = match self.headers.is_null() {
            true => &[][..],
            // SAFETY: the loader has as many headers there while it shows the object.
            false => unsafe { std::slice::from_raw_parts(self.headers, self.header_count.into()) },
        };
        let code = headers.iter().filter(|h| h.kind == LOADED && h.flags & EXECUTABLE != 0);
        code.map(|header| {
            let begin = self.bias.wrapping_add(header.address as usize);
            begin..begin.wrapping_add(header.in_memory as usize)
        })
    }
}

unsafe extern "C" fn call(object: *const c_void, _: usize, visit: *mut c_void) -> c_int {
    // SAFETY: `visit` passes a function, and the loader an object.
    let (visit, object) = unsafe { (&mut *visit.cast::<Visit>(), &*object.cast::<Object>()) };
    visit(object).is_break().into()
}

/// Shows them until one is enough, the program itself first.
fn visit(mut visit: Visit) {
    // SAFETY: `call` takes the function that is passed.
    unsafe { dl_iterate_phdr(call, (&raw mut visit).cast()) };
}

/// Shows all of them.
pub fn each(mut show: impl FnMut(&Object)) {
    visit(&mut |object| {
        show(object);
        ControlFlow::Continue(())
    });
}

/// How many were loaded since the process began.
pub fn added() -> u64 {
    let mut added = 0;
    visit(&mut |object| {
        added = object.added;
        ControlFlow::Break(())
    });
    added
}
