//! Launches, which do nothing but make what they may have written unknown.

use std::ffi::c_void;

use super::context;
use super::handles::Handle;
use super::session::{self, Session};
use super::status::Status;

/// The arguments of a launch: as many addresses as the kernel has arguments.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Arguments(pub *const *const c_void);

/// A kernel with arguments of these widths, where they are known, ran.
fn ran(session: &mut Session, widths: Option<Vec<usize>>, arguments: Arguments) {
    let Some(widths) = widths.filter(|_| !arguments.0.is_null() && !session.addresses_in_memory)
    else {
        session.written_anywhere();
        return;
    };
    for (i, width) in widths.into_iter().enumerate() {
        // SAFETY: whoever launches passes as many addresses as the kernel has arguments, each of
        // as many bytes as it is wide: the module's own text says how many and how wide.
        let argument = unsafe { *arguments.0.add(i) }.cast::<u8>();
        if argument.is_null() {
            continue;
        }
        // An address may lie anywhere in an argument that is a struct.
        for at in (0..width.saturating_sub(7)).step_by(8) {
            // SAFETY: as above; eight bytes from `at` lie in the argument.
            let word = unsafe { argument.add(at).cast::<u64>().read_unaligned() };
            session.written(word);
        }
    }
}

fn launch(function: Handle, arguments: Arguments) -> Result<(), Status> {
    session::with(|session| {
        context::need_card(session)?;
        let known = session.modules.function(function).ok_or(Status::INVALID_HANDLE)?;
        let widths = known.arguments.clone();
        ran(session, widths, arguments);
        Ok(())
    })
}

driver! {
    fn cuLaunchKernel(
        function: Handle,
        _grid_x: u32,
        _grid_y: u32,
        _grid_z: u32,
        _block_x: u32,
        _block_y: u32,
        _block_z: u32,
        _shared_bytes: u32,
        _stream: Handle,
        arguments: Arguments,
        _extra: *const c_void,
    ) {
        launch(function, arguments)
    }

    fn cuLaunchKernelEx(_config: *const c_void, function: Handle, arguments: Arguments, _extra: *const c_void) {
        launch(function, arguments)
    }

    fn cuLaunchCooperativeKernel(
        function: Handle,
        _grid_x: u32,
        _grid_y: u32,
        _grid_z: u32,
        _block_x: u32,
        _block_y: u32,
        _block_z: u32,
        _shared_bytes: u32,
        _stream: Handle,
        arguments: Arguments,
    ) {
        launch(function, arguments)
    }
}
