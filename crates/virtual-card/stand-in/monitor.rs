//! NVML: what it knows of a card without a context on it.

use std::ffi::{c_char, c_void};

use super::handles::Handle;
use super::identity::{self, uuid_text};
use super::pointer::{Out, Text, put_text};
use super::session::{self, Session};

const SUCCESS: i32 = 0;
const UNINITIALIZED: i32 = 1;
const INVALID_ARGUMENT: i32 = 2;
const NOT_FOUND: i32 = 6;
const INSUFFICIENT_SIZE: i32 = 7;
const GPU_IS_LOST: i32 = 15;

/// A card's handle is its number, from one.
const FIRST: Handle = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Memory {
    total: u64,
    free: u64,
    used: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Memory2 {
    version: u32,
    total: u64,
    reserved: u64,
    free: u64,
    used: u64,
}

/// `nvmlPciInfo_t`: texts end in a zero byte.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Pci {
    short_id: [u8; 16],
    domain: u32,
    bus: u32,
    device: u32,
    chip: u32,
    board: u32,
    id: [u8; 32],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Process {
    pid: u32,
    used: u64,
    gpu_instance: u32,
    compute_instance: u32,
}

fn with(work: impl FnOnce(&mut Session) -> i32) -> i32 {
    let mut code = UNINITIALIZED;
    session::note(|session| code = work(session));
    code
}

/// NVML sees every card, whatever `CUDA_VISIBLE_DEVICES` leaves.
fn number(session: &Session, card: Handle) -> Option<usize> {
    let number = card.checked_sub(FIRST)?;
    (number < session.cards).then_some(number)
}

fn of_card(card: Handle, work: impl FnOnce(&mut Session, usize) -> i32) -> i32 {
    with(|session| match number(session, card) {
        Some(number) if session.is_lost(number) => GPU_IS_LOST,
        Some(number) => work(session, number),
        None => INVALID_ARGUMENT,
    })
}

fn put<T>(to: &Out<T>, value: T) -> i32 {
    to.put(value).map_or(INVALID_ARGUMENT, |()| SUCCESS)
}

fn text(to: *mut c_char, room: u32, text: &str) -> i32 {
    if (room as usize) <= text.len() {
        return INSUFFICIENT_SIZE;
    }
    put_text(to, room as usize, text).map_or(INVALID_ARGUMENT, |()| SUCCESS)
}

/// The handle of a card that was searched for.
fn found_card(session: &mut Session, found: Option<usize>, to: &Out<Handle>) -> i32 {
    match found {
        Some(number) if session.is_lost(number) => GPU_IS_LOST,
        Some(number) => put(to, FIRST + number),
        None => NOT_FOUND,
    }
}

/// Bytes of a card in all, and in use.
fn memory(session: &Session, number: usize) -> (u64, u64) {
    session.record.tally(|t| &t.free_memory_read, 1);
    (session.memory, session.record.held(number))
}

exported! {
    fn nvmlInit_v2() -> i32 {
        with(|_| SUCCESS)
    }

    fn nvmlInitWithFlags(_flags: u32) -> i32 {
        with(|_| SUCCESS)
    }

    fn nvmlShutdown() -> i32 {
        SUCCESS
    }

    fn nvmlErrorString(code: i32) -> *const c_char {
        match code {
            SUCCESS => c"Success",
            UNINITIALIZED => c"Uninitialized",
            INVALID_ARGUMENT => c"Invalid Argument",
            3 => c"Not Supported",
            NOT_FOUND => c"Not Found",
            INSUFFICIENT_SIZE => c"Insufficient Size",
            GPU_IS_LOST => c"GPU is lost",
            _ => c"Unknown Error",
        }
        .as_ptr()
    }

    fn nvmlSystemGetDriverVersion(to: *mut c_char, room: u32) -> i32 {
        with(|session| text(to, room, session.facts.text("driver_version")))
    }

    fn nvmlSystemGetCudaDriverVersion_v2(version: Out<i32>) -> i32 {
        with(|session| {
            let known = session.facts.number("cuda_version") as i32;
            put(&version, known)
        })
    }

    fn nvmlDeviceGetCount_v2(count: Out<u32>) -> i32 {
        with(|session| {
            let cards = session.cards as u32;
            put(&count, cards)
        })
    }

    fn nvmlDeviceGetHandleByIndex_v2(index: u32, to: Out<Handle>) -> i32 {
        let card = FIRST + index as Handle;
        of_card(card, |_, _| put(&to, card))
    }

    fn nvmlDeviceGetHandleByUUID(name: Text, to: Out<Handle>) -> i32 {
        with(|session| {
            let found = (0..session.cards).find(|n| name.get().as_deref() == Some(&uuid_text(*n)));
            found_card(session, found, &to)
        })
    }

    fn nvmlDeviceGetHandleByPciBusId_v2(name: Text, to: Out<Handle>) -> i32 {
        with(|session| {
            let found = identity::at_bus_id(session.cards, &name.get().unwrap_or_default());
            found_card(session, found, &to)
        })
    }

    fn nvmlDeviceGetIndex(card: Handle, index: Out<u32>) -> i32 {
        of_card(card, |_, number| put(&index, number as u32))
    }

    fn nvmlDeviceGetName(card: Handle, to: *mut c_char, room: u32) -> i32 {
        of_card(card, |session, _| text(to, room, session.facts.text("name")))
    }

    fn nvmlDeviceGetUUID(card: Handle, to: *mut c_char, room: u32) -> i32 {
        of_card(card, |_, number| text(to, room, &uuid_text(number)))
    }

    /// The ids of the chip are zeros: they are not recorded.
    fn nvmlDeviceGetPciInfo_v3(card: Handle, to: Out<Pci>) -> i32 {
        of_card(card, |_, number| {
            let mut pci = Pci { bus: identity::bus(number), ..Pci::default() };
            let text = identity::bus_id(number);
            pci.id[..text.len()].copy_from_slice(text.as_bytes());
            // The old one has four digits of the domain.
            pci.short_id[..text.len() - 4].copy_from_slice(&text.as_bytes()[4..]);
            put(&to, pci)
        })
    }

    fn nvmlDeviceGetMemoryInfo(card: Handle, to: Out<Memory>) -> i32 {
        of_card(card, |session, number| {
            let (total, used) = memory(session, number);
            let info = Memory { total, free: total.saturating_sub(used), used };
            put(&to, info)
        })
    }

    fn nvmlDeviceGetMemoryInfo_v2(card: Handle, to: *mut c_void) -> i32 {
        of_card(card, |session, number| {
            let to = Out(to.cast::<Memory2>());
            let (total, used) = memory(session, number);
            let version = size_of::<Memory2>() as u32 | 2 << 24;
            let info = Memory2 { version, total, reserved: 0, free: total.saturating_sub(used), used };
            put(&to, info)
        })
    }

    fn nvmlDeviceGetComputeRunningProcesses_v2(card: Handle, count: *mut u32, to: Out<Process>) -> i32 {
        processes(card, count, &to)
    }

    fn nvmlDeviceGetComputeRunningProcesses_v3(card: Handle, count: *mut u32, to: Out<Process>) -> i32 {
        processes(card, count, &to)
    }
}

/// This process alone: those beside it are told by what the card holds.
fn processes(card: Handle, count: *mut u32, to: &Out<Process>) -> i32 {
    let room = super::pointer::In(count.cast_const()).get().unwrap_or(0);
    of_card(card, |session, number| {
        let used = session.record.held_by_this_process(number);
        let running = u32::from(used > 0);
        if Out(count).put(running).is_err() {
            return INVALID_ARGUMENT;
        }
        if room < running {
            return INSUFFICIENT_SIZE;
        }
        let process = Process {
            pid: std::process::id(),
            used,
            gpu_instance: u32::MAX,
            compute_instance: u32::MAX,
        };
        if running > 0 { put(to, process) } else { SUCCESS }
    })
}
