//! What is alive of the driver's memory, by address and by pool.

use std::collections::HashMap;

use crate::protocol::{MAX_CARDS, Request, kind};

use super::alive::{Alive, Live, Place};
use super::driver::{Driver, Handle, SUCCESS};
use super::mixed::ByMixed;
use super::record::Record;

/// What is alive of one pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolCount {
    pub card: usize,
    pub used: u64,
    /// The most since its program reset the driver's.
    pub used_high: u64,
    /// Whether it lies on the host.
    pub on_host: bool,
}

/// A card that memory came from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Card {
    /// The pool that memory comes from if none is named, as far as it was asked for.
    pub current_pool: Option<Handle>,
    /// What pools held at the last mark.
    reserved: u64,
    is_described: bool,
}

#[derive(Default)]
pub struct Counts {
    alive: Alive,
    pub pools: HashMap<Handle, PoolCount, ByMixed>,
    pub cards: [Card; MAX_CARDS],
}

impl Counts {
    /// The card of the calling thread's context; described when it is first seen.
    pub fn card(&mut self, driver: &Driver, record: &mut Record) -> Option<usize> {
        let device = driver.current_device()?;
        let number = usize::try_from(device).ok()?;
        let card = self.cards.get_mut(number)?;
        if !std::mem::replace(&mut card.is_described, true) {
            describe(driver, record, device);
        }
        Some(number)
    }

    /// The pool that a card's memory comes from if none is named.
    pub fn current_pool(&mut self, driver: &Driver, card: usize) -> Option<Handle> {
        let known = self.cards.get_mut(card)?;
        if let Some(pool) = known.current_pool {
            return Some(pool);
        }
        let mut pool = 0;
        // SAFETY: a place to write a handle to.
        let code = unsafe { (driver.cuDeviceGetMemPool)(&raw mut pool, card as i32) };
        if code != SUCCESS {
            return None;
        }
        known.current_pool = Some(pool);
        self.pools.entry(pool).or_insert(PoolCount { card, used: 0, used_high: 0, on_host: false });
        Some(pool)
    }

    /// Counts an allocation in, and writes it down.
    pub fn add(&mut self, record: &mut Record, address: u64, live: Live, stream: Handle) {
        let Live { card, bytes, place } = live;
        let kind = match place {
            Place::Pool(pool) => {
                if let Some(pool) = self.pools.get_mut(&pool) {
                    pool.used = pool.used.saturating_add(bytes);
                    pool.used_high = pool.used_high.max(pool.used);
                }
                record.grow(card, |c| &c.used, bytes);
                kind::IN_POOL
            }
            Place::Outside => {
                record.grow(card, |c| &c.outside, bytes);
                kind::OUTSIDE
            }
            Place::Host => {
                record.pin(bytes);
                kind::ON_HOST
            }
        };
        if place != Place::Host {
            record.grow(card, |c| &c.asked, bytes);
            record.born(bytes);
        }
        self.alive.insert(address, live);
        let (card, stream) = (card as u16, stream as u64);
        record.step(Request { kind, card, address, bytes, stream, ..Request::default() });
    }

    /// Counts a free in, and writes it down. `None` for what is not known here.
    pub fn remove(&mut self, record: &mut Record, address: u64, stream: Handle) -> Option<Live> {
        let live = self.alive.remove(address)?;
        let Live { card, bytes, place } = live;
        match place {
            Place::Pool(pool) => {
                if let Some(pool) = self.pools.get_mut(&pool) {
                    pool.used = pool.used.saturating_sub(bytes);
                }
                record.shrink(card, |c| &c.used, bytes);
            }
            Place::Outside => record.shrink(card, |c| &c.outside, bytes),
            Place::Host => record.unpin(bytes),
        }
        if place != Place::Host {
            record.shrink(card, |c| &c.asked, bytes);
            record.died(bytes);
        }
        let stream = stream as u64;
        record.step(Request { kind: kind::FREE, address, stream, ..Request::default() });
        Some(live)
    }

    /// Takes over what a card's pool holds now, and at most since its program reset that.
    pub fn reserve(&mut self, record: &Record, card: usize, now: u64, high: u64) {
        let Some(of) = self.cards.get_mut(card) else { return };
        let high = high.max(now);
        match high.checked_sub(of.reserved) {
            Some(more) => {
                record.grow(card, |c| &c.reserved, more);
            }
            None => record.shrink(card, |c| &c.reserved, of.reserved - high),
        }
        record.shrink(card, |c| &c.reserved, high - now);
        of.reserved = now;
    }
}

/// Writes down what a card is.
fn describe(driver: &Driver, record: &mut Record, device: i32) {
    let (mut name, mut total) = ([0u8; 256], 0usize);
    // SAFETY: as many bytes to write to as are told, and a place for a number.
    unsafe {
        (driver.cuDeviceGetName)(name.as_mut_ptr().cast(), name.len() as i32, device);
        (driver.cuDeviceTotalMem_v2)(&raw mut total, device);
    }
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    record.event(&[&"card", &device, &String::from_utf8_lossy(&name[..end]), &total]);
}
