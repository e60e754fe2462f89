//! NVRTC: programs are taken as they are, and what comes out is a module of whose kernels nothing is
//! known.

use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::sync::{Mutex, PoisonError};

use super::pointer::{Out, host_bytes_mut};

const SUCCESS: i32 = 0;
const INVALID_INPUT: i32 = 3;
const INVALID_PROGRAM: i32 = 4;

/// What every program is compiled to: the head of machine code.
const IMAGE: [u8; 64] = {
    let mut image = [0; 64];
    (image[0], image[1], image[2], image[3]) = (0x7f, b'E', b'L', b'F');
    image
};

/// Programs that exist. Compiling needs no driver, so that they are no part of a session.
static PROGRAMS: Mutex<Option<HashMap<usize, bool>>> = Mutex::new(None);

fn programs<T>(work: impl FnOnce(&mut HashMap<usize, bool>) -> T) -> T {
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    work(programs.get_or_insert_with(HashMap::new))
}

fn size(program: usize, bytes: &Out<usize>, of: usize) -> i32 {
    if !programs(|programs| programs.contains_key(&program)) {
        return INVALID_PROGRAM;
    }
    bytes.put(of).map_or(INVALID_INPUT, |()| SUCCESS)
}

fn image(program: usize, to: *mut u8) -> i32 {
    if !programs(|programs| programs.get(&program).copied().unwrap_or(false)) {
        return INVALID_PROGRAM;
    }
    let to = host_bytes_mut(to, IMAGE.len());
    to.map_or(INVALID_INPUT, |to| {
        to.copy_from_slice(&IMAGE);
        SUCCESS
    })
}

exported! {
    fn nvrtcVersion(major: Out<i32>, minor: Out<i32>) -> i32 {
        let put = major.put(13).and_then(|()| minor.put(0));
        put.map_or(INVALID_INPUT, |()| SUCCESS)
    }

    fn nvrtcCreateProgram(
        to: Out<usize>,
        source: *const c_char,
        _name: *const c_char,
        _count: i32,
        _headers: *const c_void,
        _names: *const c_void,
    ) -> i32 {
        if source.is_null() {
            return INVALID_INPUT;
        }
        let program = programs(|programs| {
            let program = 0x0d00_0000 + 64 * (programs.len() + 1);
            programs.insert(program, false);
            program
        });
        to.put(program).map_or(INVALID_INPUT, |()| SUCCESS)
    }

    fn nvrtcCompileProgram(program: usize, _count: i32, _options: *const c_void) -> i32 {
        programs(|programs| match programs.get_mut(&program) {
            Some(compiled) => {
                *compiled = true;
                SUCCESS
            }
            None => INVALID_PROGRAM,
        })
    }

    fn nvrtcDestroyProgram(program: Out<usize>) -> i32 {
        program.put(0).map_or(INVALID_INPUT, |()| SUCCESS)
    }

    fn nvrtcGetPTXSize(program: usize, bytes: Out<usize>) -> i32 {
        size(program, &bytes, IMAGE.len())
    }

    fn nvrtcGetPTX(program: usize, to: *mut u8) -> i32 {
        image(program, to)
    }

    fn nvrtcGetCUBINSize(program: usize, bytes: Out<usize>) -> i32 {
        size(program, &bytes, IMAGE.len())
    }

    fn nvrtcGetCUBIN(program: usize, to: *mut u8) -> i32 {
        image(program, to)
    }

    fn nvrtcGetProgramLogSize(program: usize, bytes: Out<usize>) -> i32 {
        size(program, &bytes, 1)
    }

    fn nvrtcGetProgramLog(_program: usize, to: *mut u8) -> i32 {
        host_bytes_mut(to, 1).map_or(INVALID_INPUT, |to| {
            to[0] = 0;
            SUCCESS
        })
    }

    fn nvrtcGetErrorString(code: i32) -> *const c_char {
        if code == SUCCESS { c"NVRTC_SUCCESS" } else { c"NVRTC_ERROR" }.as_ptr()
    }
}
