//! Memory of the host that the driver gives out or locks, and memory that both sides see.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::c_void;

use crate::protocol::{Request, kind};

use super::allocation;
use super::context;
use super::host_ranges::Origin;
use super::pointer::Out;
use super::session::{self, Session};
use super::status::Status;

/// `CUmemLocation`, passed by value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Location {
    kind: i32,
    number: i32,
}

/// `CU_MEMHOSTALLOC_DEVICEMAP` and `CU_MEMHOSTREGISTER_DEVICEMAP`.
const MAPPED: u32 = 2;

fn layout(bytes: usize) -> Result<Layout, Status> {
    Layout::from_size_align(bytes, 4096).map_err(|_| Status::OUT_OF_MEMORY)
}

/// Pages of the host, which cost nothing until they are touched. Returns their address.
fn pages(session: &mut Session, bytes: usize, origin: Origin) -> Result<usize, Status> {
    if bytes == 0 {
        return Err(Status::INVALID_VALUE);
    }
    // SAFETY: the layout is not of no size.
    let at = unsafe { alloc_zeroed(layout(bytes)?) } as usize;
    if at == 0 {
        return Err(Status::OUT_OF_MEMORY);
    }
    session.host.0.insert(at, (bytes, origin));
    Ok(at)
}

fn pinned(session: &mut Session, to: &Out<usize>, bytes: usize, flags: u32) -> Result<(), Status> {
    let device = context::current_device(session)?;
    let at = pages(session, bytes, Origin::Allocated)?;
    session.record.pin(bytes as u64);
    let (card, address, bytes) = (session.card(device)?.number as u16, at as u64, bytes as u64);
    let kind = kind::ON_HOST;
    session.record.step(Request { kind, card, address, bytes, ..Request::default() });
    if flags & MAPPED != 0 {
        note_shared(session, "page-locked memory that the card maps");
    }
    to.put(at)
}

/// Memory that the host reads without a call.
fn note_shared(session: &mut Session, what: &str) {
    session.record.tally(|t| &t.shared_allocations, 1);
    session.record.event_once("shared", what);
}

/// Frees managed memory at `address`, if there is any.
pub fn free_managed(session: &mut Session, address: u64) -> Option<Result<(), Status>> {
    let at = address as usize;
    let (bytes, Origin::Managed { on_card }) = session.host.0.get(&at).copied()? else {
        return None;
    };
    session.host.0.remove(&at);
    if let Ok(layout) = layout(bytes) {
        // SAFETY: allocated by `pages` with this layout, and not freed: it was in the map.
        unsafe { dealloc(at as *mut u8, layout) };
    }
    Some(allocation::free(session, on_card, 0, "cuMemFree"))
}

driver! {
    fn cuMemHostAlloc(to: Out<usize>, bytes: usize, flags: u32) {
        session::with(|session| pinned(session, &to, bytes, flags))
    }

    fn cuMemAllocHost_v2(to: Out<usize>, bytes: usize) {
        session::with(|session| pinned(session, &to, bytes, 0))
    }

    fn cuMemFreeHost(at: usize) {
        session::with(|session| {
            let (bytes, Origin::Allocated) = session.host.0.get(&at).copied().ok_or(Status::INVALID_VALUE)?
            else {
                return Err(Status::INVALID_VALUE);
            };
            session.host.0.remove(&at);
            session.record.unpin(bytes as u64);
            let (kind, address) = (kind::FREE, at as u64);
            session.record.step(Request { kind, address, ..Request::default() });
            // SAFETY: allocated by `pages` with this layout, and not freed: it was in the map.
            unsafe { dealloc(at as *mut u8, layout(bytes)?) };
            Ok(())
        })
    }

    fn cuMemHostRegister_v2(at: usize, bytes: usize, flags: u32) {
        session::with(|session| {
            if at == 0 || bytes == 0 {
                return Err(Status::INVALID_VALUE);
            }
            if session.host.holds(at) {
                return Err(Status(712));
            }
            session.host.0.insert(at, (bytes, Origin::Registered));
            session.record.pin(bytes as u64);
            if flags & MAPPED != 0 {
                note_shared(session, "registered memory that the card maps");
            }
            Ok(())
        })
    }

    fn cuMemHostUnregister(at: usize) {
        session::with(|session| match session.host.0.get(&at).copied() {
            Some((bytes, Origin::Registered)) => {
                session.host.0.remove(&at);
                session.record.unpin(bytes as u64);
                Ok(())
            }
            _ => Err(Status::HOST_MEMORY_NOT_REGISTERED),
        })
    }

    fn cuMemHostGetDevicePointer_v2(to: Out<usize>, at: usize, _flags: u32) {
        session::with(|session| {
            if !session.host.holds(at) {
                return Err(Status::INVALID_VALUE);
            }
            note_shared(session, "page-locked memory that the card maps");
            to.put(at)
        })
    }

    fn cuMemHostGetFlags(flags: Out<u32>, at: usize) {
        session::with(|session| {
            if !session.host.holds(at) {
                return Err(Status::INVALID_VALUE);
            }
            flags.put(MAPPED)
        })
    }

    fn cuMemAllocManaged(to: Out<usize>, bytes: usize, _flags: u32) {
        session::with(|session| {
            let device = context::current_device(session)?;
            let on_card = allocation::allocate_direct(session, device, bytes as u64)?;
            note_shared(session, "managed memory");
            to.put(pages(session, bytes, Origin::Managed { on_card })?)
        })
    }

    fn cuMemAdvise(_at: u64, _bytes: usize, _advice: i32, _device: i32) {
        Ok(())
    }

    fn cuMemPrefetchAsync(_at: u64, _bytes: usize, _device: i32, _stream: usize) {
        Ok(())
    }

    fn cuMemAdvise_v2(_at: u64, _bytes: usize, _advice: i32, _location: Location) {
        Ok(())
    }

    fn cuMemPrefetchAsync_v2(_at: u64, _bytes: usize, _location: Location, _flags: u32, _stream: usize) {
        Ok(())
    }

    fn cuPointerGetAttribute(to: *mut c_void, attribute: i32, address: u64) {
        session::with(|session| {
            let on_card = session.regions.allocation(address).is_some();
            if !on_card && !session.host.holds(address as usize) {
                return Err(Status::INVALID_VALUE);
            }
            match attribute {
                // Where it lies: 1 on the host, 2 on the card.
                2 => Out(to.cast::<u32>()).put(if on_card { 2 } else { 1 }),
                3 | 4 => Out(to.cast::<u64>()).put(address),
                // Whether it is managed.
                8 => Out(to.cast::<u32>()).put((!on_card && is_managed(session, address)).into()),
                // The number of the device.
                9 => Out(to.cast::<i32>()).put(context::current_device(session)?),
                _ => Err(Status::NOT_SUPPORTED),
            }
        })
    }
}

fn is_managed(session: &Session, address: u64) -> bool {
    let before = session.host.0.range(..=address as usize).next_back();
    matches!(before, Some((_, (_, Origin::Managed { .. }))))
}
