//! What an allocation and a free do to what is held.

use crate::protocol::{Request, kind};

use super::card::{DIRECT_SHARED, Kind, REGION_SPAN, Region};
use super::session::Session;
use super::status::Status;

/// Allocates in the region that begins at `base`, in the order of the stream of this number. Returns the
/// address, which is 0 for no bytes.
pub fn allocate(session: &mut Session, base: u64, bytes: u64, stream: u64) -> Result<u64, Status> {
    let region = session.regions.of(base).ok_or(Status::INVALID_VALUE)?;
    if bytes == 0 {
        // A pool makes an allocation of it that holds nothing (seen on an H100).
        return if matches!(region.kind, Kind::Direct) {
            Err(Status::INVALID_VALUE)
        } else {
            Ok(0)
        };
    }
    let card = region.card;
    session.need_for_request(card)?;
    session.record.request(card, bytes, stream);
    let region = session.regions.of(base).ok_or(Status::INVALID_VALUE)?;
    let placement = region.memory.place(bytes, stream);
    let placement = placement.filter(|p| p.offset.saturating_add(bytes) <= REGION_SPAN);
    let fits = session.fits(card, placement.map_or(u64::MAX, |placement| placement.growth));
    let Some(placement) = placement.filter(|_| fits) else {
        session.record.refused(card, bytes);
        return Err(Status::OUT_OF_MEMORY);
    };
    let region = session.regions.of(base).ok_or(Status::INVALID_VALUE)?;
    region.memory.take(placement);
    let address = base + placement.offset;
    let kind = if matches!(region.kind, Kind::Direct) { kind::OUTSIDE } else { kind::IN_POOL };
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
    session.record.grow(card, |c| &c.asked, bytes);
    session.record.born(bytes);
    let card = card as u16;
    session.record.step(Request { kind, card, address, bytes, stream, ..Request::default() });
    Ok(address)
}

/// Frees what was allocated at `address`, in the order of a stream (its number, 0 for none); `function` is named if
/// that is wrong.
pub fn free(
    session: &mut Session,
    address: u64,
    stream: u64,
    function: &str,
) -> Result<(), Status> {
    // What an allocation of no bytes is given.
    if address == 0 {
        return Ok(());
    }
    let call = session.record.steps();
    let Some(region) = session.regions.of(address) else {
        return wrong(session, "freed an address that is not the card's", function, address);
    };
    let (card, offset) = (region.card, address - region.base);
    session.need(card)?;
    let region = session.regions.of(address).ok_or(Status::INVALID_VALUE)?;
    let Some(bytes) = region.memory.free(offset, stream, call) else {
        let what = match region.memory.find(offset) {
            Some(_) => "freed an address inside an allocation",
            None => "freed twice, or never allocated",
        };
        return wrong(session, what, function, address);
    };
    let (base, is_idle) = (region.base, region.memory.live().len() == 0);
    match region.kind {
        Kind::Direct => {
            // There is no order: the card is done with it.
            region.memory.synchronize_all();
            let back = region.memory.trim(0);
            session.record.shrink(card, |c| &c.outside, back);
            session.record.shrink(card, |c| &c.held, back);
        }
        Kind::Pool { .. } => session.record.shrink(card, |c| &c.used, bytes),
        Kind::Destroyed => {
            session.record.shrink(card, |c| &c.used, bytes);
            if is_idle {
                remove(session, base)?;
            }
        }
    }
    session.record.shrink(card, |c| &c.asked, bytes);
    session.record.died(bytes);
    session.contents.forget(address, bytes);
    session.record.step(Request { kind: kind::FREE, address, stream, ..Request::default() });
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
    give_back(session, card, back);
    Ok(())
}

/// A pool of a card holds `bytes` less.
pub fn give_back(session: &mut Session, card: usize, bytes: u64) {
    session.record.shrink(card, |c| &c.reserved, bytes);
    session.record.shrink(card, |c| &c.held, bytes);
}

/// Takes away a pool of which nothing is alive.
pub fn remove(session: &mut Session, base: u64) -> Result<(), Status> {
    let region = session.regions.of(base).ok_or(Status::INVALID_VALUE)?;
    let (card, back) = (region.card, region.memory.synchronize_all());
    give_back(session, card, back);
    trim(session, base, 0)?;
    session.regions.remove(base);
    Ok(())
}

/// Outside the pools, on a card. Returns the address.
pub fn allocate_direct(session: &mut Session, device: i32, bytes: u64) -> Result<u64, Status> {
    let card = session.card(device)?;
    let region = if bytes <= DIRECT_SHARED { card.direct_small } else { card.direct_large };
    allocate(session, region, bytes, 0)
}
