//! Copies and fills. What the host writes is kept, what it reads comes back.

use super::card::BEYOND_REGIONS;
use super::context;
use super::handles::Handle;
use super::pointer::{host_bytes, host_bytes_mut};
use super::session::{self, Session};
use super::status::Status;

/// That `bytes` bytes at `address` lie in one allocation of the card's.
fn inside(session: &mut Session, address: u64, bytes: usize, function: &str) -> Result<(), Status> {
    context::current_device(session)?;
    if let Some(card) = session.regions.of(address).map(|region| region.card) {
        session.need(card)?;
    }
    let found = session.regions.allocation(address);
    // What was mapped in steps has addresses of its own.
    let mapped = address >= BEYOND_REGIONS;
    if mapped || bytes == 0 || found.is_some_and(|(at, all)| address - at + bytes as u64 <= all) {
        return Ok(());
    }
    session.record.event(&[
        &"wrong",
        &"reached beyond an allocation",
        &function,
        &format_args!("{address:#x} and {bytes} bytes"),
    ]);
    Err(Status::INVALID_VALUE)
}

fn to_card(to: u64, from: *const u8, bytes: usize, function: &str) -> Result<(), Status> {
    let from = host_bytes(from, bytes)?;
    session::with(|session| {
        inside(session, to, bytes, function)?;
        session.write(to, from);
        Ok(())
    })
}

fn to_host(to: *mut u8, from: u64, bytes: usize, function: &str) -> Result<(), Status> {
    let to = host_bytes_mut(to, bytes)?;
    session::with(|session| {
        inside(session, from, bytes, function)?;
        session.read(from, to);
        Ok(())
    })
}

fn on_card(to: u64, from: u64, bytes: usize, function: &str) -> Result<(), Status> {
    session::with(|session| {
        inside(session, to, bytes, function)?;
        inside(session, from, bytes, function)?;
        session.contents.copy(to, from, bytes as u64);
        Ok(())
    })
}

/// Whichever way the addresses say.
fn either_way(to: u64, from: u64, bytes: usize) -> Result<(), Status> {
    let card = |address| {
        session::with(|session| Ok(session.regions.allocation(address).is_some())).unwrap_or(false)
    };
    match (card(to), card(from)) {
        (true, true) => on_card(to, from, bytes, "cuMemcpy"),
        (true, false) => to_card(to, from as *const u8, bytes, "cuMemcpy"),
        (false, true) => to_host(to as *mut u8, from, bytes, "cuMemcpy"),
        (false, false) => {
            host_bytes_mut(to as *mut u8, bytes)?
                .copy_from_slice(host_bytes(from as *const u8, bytes)?);
            Ok(())
        }
    }
}

fn set(to: u64, pattern: [u8; 4], each: usize, count: usize, function: &str) -> Result<(), Status> {
    let bytes = count.checked_mul(each).ok_or(Status::INVALID_VALUE)?;
    session::with(|session| {
        inside(session, to, bytes, function)?;
        session.contents.set(to, pattern, bytes as u64);
        Ok(())
    })
}

fn pair(value: u16) -> [u8; 4] {
    let [low, high] = value.to_le_bytes();
    [low, high, low, high]
}

driver! {
    fn cuMemcpyHtoD_v2(to: u64, from: *const u8, bytes: usize) {
        to_card(to, from, bytes, "cuMemcpyHtoD")
    }

    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const u8, bytes: usize, _stream: Handle) {
        to_card(to, from, bytes, "cuMemcpyHtoDAsync")
    }

    fn cuMemcpyDtoH_v2(to: *mut u8, from: u64, bytes: usize) {
        to_host(to, from, bytes, "cuMemcpyDtoH")
    }

    fn cuMemcpyDtoHAsync_v2(to: *mut u8, from: u64, bytes: usize, _stream: Handle) {
        to_host(to, from, bytes, "cuMemcpyDtoHAsync")
    }

    fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) {
        on_card(to, from, bytes, "cuMemcpyDtoD")
    }

    fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, _stream: Handle) {
        on_card(to, from, bytes, "cuMemcpyDtoDAsync")
    }

    fn cuMemcpyPeer(to: u64, _to_context: Handle, from: u64, _from_context: Handle, bytes: usize) {
        on_card(to, from, bytes, "cuMemcpyPeer")
    }

    fn cuMemcpyPeerAsync(
        to: u64,
        _to_context: Handle,
        from: u64,
        _from_context: Handle,
        bytes: usize,
        _stream: Handle,
    ) {
        on_card(to, from, bytes, "cuMemcpyPeerAsync")
    }

    fn cuMemcpy(to: u64, from: u64, bytes: usize) {
        either_way(to, from, bytes)
    }

    fn cuMemcpyAsync(to: u64, from: u64, bytes: usize, _stream: Handle) {
        either_way(to, from, bytes)
    }

    fn cuMemsetD8_v2(to: u64, value: u8, count: usize) {
        set(to, [value; 4], 1, count, "cuMemsetD8")
    }

    fn cuMemsetD8Async(to: u64, value: u8, count: usize, _stream: Handle) {
        set(to, [value; 4], 1, count, "cuMemsetD8Async")
    }

    fn cuMemsetD16_v2(to: u64, value: u16, count: usize) {
        set(to, pair(value), 2, count, "cuMemsetD16")
    }

    fn cuMemsetD16Async(to: u64, value: u16, count: usize, _stream: Handle) {
        set(to, pair(value), 2, count, "cuMemsetD16Async")
    }

    fn cuMemsetD32_v2(to: u64, value: u32, count: usize) {
        set(to, value.to_le_bytes(), 4, count, "cuMemsetD32")
    }

    fn cuMemsetD32Async(to: u64, value: u32, count: usize, _stream: Handle) {
        set(to, value.to_le_bytes(), 4, count, "cuMemsetD32Async")
    }
}
