//! Pools: which there are, and how they are set up.

use std::ffi::c_void;

use crate::protocol::{Request, kind};

use super::counters::{RESERVED_HIGH, USED_HIGH, counters};
use super::counts::PoolCount;
use super::driver::{self, Driver, Handle, SUCCESS};
use super::session::{Inside, Session, at_once};

/// Attributes of `CUmemPool_attribute` that are settings: of how memory is reused, and the last, in 8
/// bytes, of how much is kept.
const REUSE: [i32; 3] = [1, 2, 3];
const RELEASE_THRESHOLD: i32 = 4;

fn set(session: &mut Session, driver: &Driver, pool: Handle, attribute: i32) {
    let Session { record, counts, .. } = session;
    // A program sets its pool up before it takes memory.
    if let Some(card) = counts.card(driver, record) {
        counts.current_pool(driver, card);
    }
    let Some(of) = counts.pools.get_mut(&pool) else { return };
    let card = of.card;
    match attribute {
        USED_HIGH => of.used_high = of.used,
        RELEASE_THRESHOLD | 1..=3 => {
            let read = |attribute| driver.pool_attribute(pool, attribute).unwrap_or(0);
            let [follow, opportunistic, internal] = REUSE.map(read);
            let threshold = read(RELEASE_THRESHOLD);
            let flags = [&(follow != 0), &(opportunistic != 0), &(internal != 0)];
            record.event(&[&"settings", &card, &threshold, flags[0], flags[1], flags[2]]);
            record.step(Request {
                kind: kind::SETTING,
                card: card as u16,
                address: attribute as u64,
                bytes: read(attribute),
                ..Request::default()
            });
        }
        _ => {}
    }
    session.changed = true;
}

passed! {
    fn cuDeviceSetMemPool(device: i32, pool: Handle) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuDeviceSetMemPool)(device, pool) },
            |session, _, code| {
                let card = usize::try_from(device).ok().and_then(|n| session.counts.cards.get_mut(n));
                if let (Some(card), SUCCESS) = (card, code) {
                    card.current_pool = None;
                }
            },
        )
    }

    fn cuMemSetMemPool(place: *const c_void, kind: i32, pool: Handle) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemSetMemPool)(place, kind, pool) },
            |session, _, code| {
                if code == SUCCESS {
                    session.counts.cards.iter_mut().for_each(|card| card.current_pool = None);
                }
            },
        )
    }

    /// The third and fourth word of the properties are the kind of place, 1 for a card, and its number.
    fn cuMemPoolCreate(to: *mut Handle, properties: *const [i32; 4]) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemPoolCreate)(to, properties) },
            |session, _, code| {
                if code != SUCCESS {
                    return;
                }
                // SAFETY: the driver took the properties and has written a handle.
                let ([_, _, place, number], pool) = unsafe { (properties.read_unaligned(), to.read_unaligned()) };
                let on_host = place != 1;
                let card = if on_host { 0 } else { usize::try_from(number).unwrap_or(0) };
                session.counts.pools.insert(pool, PoolCount { card, used: 0, used_high: 0, on_host });
                session.record.event_once("pool", "made by the program");
            },
        )
    }

    fn cuMemPoolDestroy(pool: Handle) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemPoolDestroy)(pool) },
            |session, _, code| {
                if code == SUCCESS {
                    // What is alive of it stays until it is freed; cards that had it have their own again.
                    for card in &mut session.counts.cards {
                        card.current_pool = card.current_pool.filter(|current| *current != pool);
                    }
                }
            },
        )
    }

    fn cuMemPoolTrimTo(pool: Handle, keep: usize) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemPoolTrimTo)(pool, keep) },
            |session, _, code| {
                let Some(of) = session.counts.pools.get(&pool).filter(|_| code == SUCCESS) else { return };
                let (kind, card, bytes) = (kind::TRIM, of.card as u16, keep as u64);
                session.record.event_once("pool", "trimmed by the program");
                session.record.step(Request { kind, card, bytes, ..Request::default() });
                session.changed = true;
            },
        )
    }

    fn cuMemPoolSetAttribute(pool: Handle, attribute: i32, value: *mut c_void) {
        // SAFETY: passed on as it came.
        let call = |driver: &Driver| unsafe { (driver.cuMemPoolSetAttribute)(pool, attribute, value) };
        if attribute == RESERVED_HIGH {
            let Some(inside) = Inside::enter() else { return call(driver::get()) };
            // What it was at most is forgotten with the reset.
            inside.with(|session, driver| {
                counters(&mut session.record, &mut session.counts, driver, false)
            });
        }
        at_once(call, |session, driver, code| {
            if code == SUCCESS {
                set(session, driver, pool, attribute);
            }
        })
    }
}
