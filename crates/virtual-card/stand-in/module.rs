//! Modules and their functions.

use std::ffi::{CStr, c_void};

use super::context;
use super::handles::Handle;
use super::kernels::{Function, Module};
use super::pointer::{Out, Text};
use super::ptx;
use super::session;
use super::status::Status;

/// Machine code begins with one of these.
const ELF: [u8; 4] = *b"\x7fELF";
const FATBIN: [u8; 4] = 0xba55_ed50_u32.to_le_bytes();
const FATBIN_WRAPPER: [u8; 4] = 0x4662_43b1_u32.to_le_bytes();

fn load(to: &Out<Handle>, image: *const c_void) -> Result<(), Status> {
    if image.is_null() {
        return Err(Status::INVALID_VALUE);
    }
    // SAFETY: whoever calls passes machine code, whose heads are longer, or a text that ends in a zero
    // byte; a text of fewer than four bytes is none.
    let head = unsafe { image.cast::<[u8; 4]>().read_unaligned() };
    let kernels = if [ELF, FATBIN, FATBIN_WRAPPER].contains(&head) {
        None
    } else {
        // SAFETY: as above: what is not machine code is a text.
        let text = unsafe { CStr::from_ptr(image.cast()) };
        let kernels = ptx::kernels(text.to_str().map_err(|_| Status(200))?);
        if text.is_empty() {
            return Err(Status(200));
        }
        Some(kernels)
    };
    session::with(|session| {
        context::need_card(session)?;
        let handle = session.handles.next();
        session.modules.modules.insert(handle, Module { kernels });
        to.put(handle)
    })
}

driver! {
    fn cuModuleLoadData(to: Out<Handle>, image: *const c_void) {
        load(&to, image)
    }

    fn cuModuleLoadDataEx(
        to: Out<Handle>,
        image: *const c_void,
        _count: u32,
        _options: *const c_void,
        _values: *const c_void,
    ) {
        load(&to, image)
    }

    fn cuModuleLoadFatBinary(to: Out<Handle>, image: *const c_void) {
        load(&to, image)
    }

    fn cuModuleLoad(to: Out<Handle>, path: Text) {
        let mut image = std::fs::read(path.get().ok_or(Status::INVALID_VALUE)?).map_err(|_| Status(301))?;
        image.extend([0; 4]);
        load(&to, image.as_ptr().cast())
    }

    fn cuModuleUnload(module: Handle) {
        session::with(|session| {
            session.modules.modules.remove(&module).ok_or(Status::INVALID_HANDLE)?;
            session.modules.functions.retain(|_, function| function.module != module);
            session.modules.by_name.retain(|(of, _), _| *of != module);
            Ok(())
        })
    }

    fn cuModuleGetFunction(to: Out<Handle>, module: Handle, name: Text) {
        let name = name.get().ok_or(Status::INVALID_VALUE)?;
        session::with(|session| {
            if let Some(known) = session.modules.by_name.get(&(module, name.clone())) {
                return to.put(*known);
            }
            let kernels = &session.modules.modules.get(&module).ok_or(Status::INVALID_HANDLE)?.kernels;
            let arguments = match kernels {
                Some(kernels) => Some(kernels.get(&name).ok_or(Status::NOT_FOUND)?.clone()),
                None => None,
            };
            session.record.event_once("function", &name);
            let handle = session.handles.next();
            session.modules.by_name.insert((module, name.clone()), handle);
            session.modules.functions.insert(handle, Function { module, name, arguments });
            to.put(handle)
        })
    }

    fn cuModuleGetLoadingMode(mode: Out<i32>) {
        // Lazily.
        mode.put(2)
    }

    fn cuFuncSetAttribute(_function: Handle, _attribute: i32, _value: i32) {
        Ok(())
    }

    fn cuFuncSetCacheConfig(_function: Handle, _config: i32) {
        Ok(())
    }

    fn cuFuncGetAttribute(value: Out<i32>, attribute: i32, function: Handle) {
        session::with(|session| {
            let known = session.modules.function(function).ok_or(Status::INVALID_HANDLE)?;
            let what = format!("{attribute} of the kernel {}", known.name);
            session.record.tally(|t| &t.unrecorded_attributes, 1);
            session.record.event_once("attribute", &what);
            // The most threads of a block; nothing else is plausible for every kernel.
            value.put(if attribute == 0 { 1024 } else { 0 })
        })
    }
}
