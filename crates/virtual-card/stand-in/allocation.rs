//! Memory of the card: from pools in the order of a stream, and outside them.

use super::card::{DIRECT_GRANULE, DIRECT_SHARED, Kind, Region};
use super::context;
use super::handles::Handle;
use super::host_memory;
use super::pointer::Out;
use super::session::{self, Session};
use super::status::Status;

/// Allocates in the region that begins at `base`. Returns the address.
pub fn allocate(
    session: &mut Session,
    base: u64,
    bytes: u64,
    stream: Handle,
) -> Result<u64, Status> {
    session.record.request(bytes, stream);
    let memory = session.facts.number("memory");
    let region = session.regions.of(base).ok_or(Status::INVALID_VALUE)?;
    if bytes == 0 {
        return Err(Status::INVALID_VALUE);
    }
    let card = region.card;
    let placement = region.memory.place(bytes);
    let fits = |held: u64| {
        placement.is_some_and(|p| held.checked_add(p.growth).is_some_and(|sum| sum <= memory))
    };
    if !fits(session.record.held(card)) {
        session.record.give_back_departed();
    }
    let held = session.record.held(card);
    let Some(placement) = placement.filter(|_| fits(held)) else {
        session.record.tally(|t| &t.failed_allocations, 1);
        session.record.event(&[&"failed", &"an allocation", &card, &bytes, &held]);
        return Err(Status::OUT_OF_MEMORY);
    };
    region.memory.take(placement);
    if let Kind::Pool { used_high, reserved_high, .. } = &mut region.kind {
        *used_high = (*used_high).max(region.memory.used());
        *reserved_high = (*reserved_high).max(region.memory.reserved());
        session.record.grow(card, |c| &c.reserved, placement.growth);
        session.record.grow(card, |c| &c.held, placement.growth);
        session.record.grow(card, |c| &c.used, bytes);
    } else {
        session.record.grow(card, |c| &c.outside, placement.growth);
        session.record.grow(card, |c| &c.held, placement.growth);
    }
    session.record.born(bytes);
    Ok(base + placement.offset)
}

/// Frees what was allocated at `address`; `function` is named if that is wrong.
pub fn free(session: &mut Session, address: u64, function: &str) -> Result<(), Status> {
    let Some(region) = session.regions.of(address) else {
        return wrong(session, "freed an address that is not the card's", function, address);
    };
    let (card, offset) = (region.card, address - region.base);
    let Some(bytes) = region.memory.free(offset) else {
        let what = match region.memory.find(offset) {
            Some(_) => "freed an address inside an allocation",
            None => "freed twice, or never allocated",
        };
        return wrong(session, what, function, address);
    };
    if matches!(region.kind, Kind::Direct) {
        let back = region.memory.trim(0);
        session.record.shrink(card, |c| &c.outside, back);
        session.record.shrink(card, |c| &c.held, back);
    } else {
        session.record.shrink(card, |c| &c.used, bytes);
    }
    session.record.died(bytes);
    session.contents.forget(address, bytes);
    Ok(())
}

fn wrong(session: &mut Session, what: &str, function: &str, address: u64) -> Result<(), Status> {
    session.record.event(&[&"wrong", &what, &function, &format_args!("{address:#x}")]);
    Err(Status::INVALID_VALUE)
}

/// Lets a pool give back what it may keep no more than `keep` bytes of.
pub fn trim(session: &mut Session, base: u64, keep: u64) -> Result<(), Status> {
    let region: &mut Region = session.regions.of(base).ok_or(Status::INVALID_VALUE)?;
    let (card, back) = (region.card, region.memory.trim(keep));
    session.record.shrink(card, |c| &c.reserved, back);
    session.record.shrink(card, |c| &c.held, back);
    Ok(())
}

/// Outside the pools, on a card. Returns the address.
pub fn allocate_direct(session: &mut Session, device: i32, bytes: u64) -> Result<u64, Status> {
    let card = session.card(device)?;
    if bytes <= DIRECT_SHARED {
        let small = card.direct_small;
        return allocate(session, small, bytes, 0);
    }
    let large = card.direct_large;
    let granules = bytes.checked_next_multiple_of(DIRECT_GRANULE).unwrap_or(bytes);
    allocate(session, large, granules, 0)
}

fn allocate_on_current(session: &mut Session, bytes: u64) -> Result<u64, Status> {
    let device = context::current_device(session)?;
    allocate_direct(session, device, bytes)
}

driver! {
    fn cuMemAllocAsync(address: Out<u64>, bytes: usize, stream: Handle) {
        session::with(|session| {
            let device = context::current_device(session)?;
            let pool = session.card(device)?.current_pool;
            address.put(allocate(session, pool, bytes as u64, stream)?)
        })
    }

    fn cuMemAllocFromPoolAsync(address: Out<u64>, bytes: usize, pool: Handle, stream: Handle) {
        session::with(|session| address.put(allocate(session, pool as u64, bytes as u64, stream)?))
    }

    fn cuMemFreeAsync(address: u64, _stream: Handle) {
        session::with(|session| free(session, address, "cuMemFreeAsync"))
    }

    fn cuMemAlloc_v2(address: Out<u64>, bytes: usize) {
        session::with(|session| address.put(allocate_on_current(session, bytes as u64)?))
    }

    fn cuMemAllocPitch_v2(address: Out<u64>, pitch: Out<usize>, width: usize, height: usize, _element: u32) {
        // Rows begin where the card reads them best.
        let row = width.checked_next_multiple_of(512).ok_or(Status::OUT_OF_MEMORY)?;
        let bytes = row.checked_mul(height).ok_or(Status::OUT_OF_MEMORY)?;
        session::with(|session| {
            address.put(allocate_on_current(session, bytes as u64)?)?;
            pitch.put(row)
        })
    }

    fn cuMemFree_v2(address: u64) {
        if address == 0 {
            return Ok(());
        }
        session::with(|session| match host_memory::free_managed(session, address) {
            Some(freed) => freed,
            None => free(session, address, "cuMemFree"),
        })
    }

    fn cuMemGetAddressRange_v2(base: Out<u64>, bytes: Out<usize>, address: u64) {
        session::with(|session| {
            let (start, length) = session.regions.allocation(address).ok_or(Status::NOT_FOUND)?;
            base.put_if_wanted(start);
            bytes.put_if_wanted(length as usize);
            Ok(())
        })
    }

    fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) {
        session::with(|session| {
            let device = context::current_device(session)?;
            let card = session.card(device)?.number;
            session.record.tally(|t| &t.free_memory_read, 1);
            let memory = session.facts.number("memory");
            free.put_if_wanted(memory.saturating_sub(session.record.held(card)) as usize);
            total.put_if_wanted(memory as usize);
            Ok(())
        })
    }
}
