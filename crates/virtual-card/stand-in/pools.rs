//! Pools: which a card has, and how they are set up.

use std::ffi::c_void;

use crate::protocol::{Request, kind};

use super::allocation;
use crate::pool::PoolSettings;

use super::card::{Kind, Region};
use super::handles::{Handle, Order};
use super::pointer::{In, Out};
use super::session::{self, Session, Visible};
use super::status::Status;

/// Attributes of `CUmemPool_attribute`.
const REUSE_FOLLOW_EVENT_DEPENDENCIES: i32 = 1;
const REUSE_ALLOW_OPPORTUNISTIC: i32 = 2;
const REUSE_ALLOW_INTERNAL_DEPENDENCIES: i32 = 3;
const RELEASE_THRESHOLD: i32 = 4;
const RESERVED_CURRENT: i32 = 5;
const RESERVED_HIGH: i32 = 6;
const USED_CURRENT: i32 = 7;
const USED_HIGH: i32 = 8;

/// A pool, for a call that needs its card.
fn pool(session: &mut Session, handle: Handle) -> Result<&mut Region, Status> {
    let card = session.regions.pool(handle as u64).ok_or(Status::INVALID_VALUE)?.card;
    session.need(card)?;
    session.regions.pool(handle as u64).ok_or(Status::INVALID_VALUE)
}

/// A card, for a call that needs it.
fn needed(session: &mut Session, device: i32) -> Result<&mut Visible, Status> {
    let number = session.card(device)?.number;
    session.need(number)?;
    session.card(device)
}

/// What the host waits for.
#[derive(Debug, Clone, Copy)]
pub enum Awaited {
    /// What was asked for on a stream, up to a step.
    Until(Order),
    /// All of the card of this number.
    Card(usize),
}

/// The host waited: pools make what was freed before their own, and give back what they may not keep.
pub fn synchronize(session: &mut Session, awaited: Awaited) {
    let streams = match awaited {
        Awaited::Until(Order { stream, .. }) => session.handles.with_stream(stream),
        Awaited::Card(_) => Vec::new(),
    };
    let mut gone = Vec::new();
    for region in session.regions.pools() {
        let bytes = match awaited {
            Awaited::Card(number) if region.card == number => region.memory.synchronize_all(),
            Awaited::Card(_) => 0,
            Awaited::Until(Order { steps, .. }) => {
                streams.iter().map(|stream| region.memory.synchronize(*stream, steps)).sum()
            }
        };
        gone.push((region.card, bytes));
    }
    for (card, bytes) in gone {
        allocation::give_back(session, card, bytes);
    }
}

/// The stream of this number waits for what `order` says.
pub fn wait(session: &mut Session, stream: u64, order: Order) {
    for region in session.regions.pools() {
        region.memory.wait(stream, order.stream, order.steps);
    }
}

driver! {
    fn cuDeviceGetDefaultMemPool(to: Out<Handle>, device: i32) {
        session::with(|session| to.put(needed(session, device)?.default_pool as Handle))
    }

    fn cuDeviceGetMemPool(to: Out<Handle>, device: i32) {
        session::with(|session| to.put(needed(session, device)?.current_pool as Handle))
    }

    fn cuDeviceSetMemPool(device: i32, handle: Handle) {
        session::with(|session| {
            pool(session, handle)?;
            session.card(device)?.current_pool = handle as u64;
            Ok(())
        })
    }

    /// The fourth word of the properties, 12 bytes in, is the number of the device.
    fn cuMemPoolCreate(to: Out<Handle>, properties: In<[i32; 4]>) {
        let device = properties.get().ok_or(Status::INVALID_VALUE)?[3];
        session::with(|session| {
            let number = needed(session, device)?.number;
            let region = session.regions.add_pool(number).ok_or(Status::OUT_OF_MEMORY)?;
            to.put(region.base as Handle)?;
            session.record.event_once("pool", "made by the program");
            Ok(())
        })
    }

    /// What is alive of it stays until it is freed.
    fn cuMemPoolDestroy(handle: Handle) {
        session::with(|session| {
            if session.visible.iter().any(|card| card.default_pool == handle as u64) {
                return Err(Status::INVALID_VALUE);
            }
            let pool = pool(session, handle)?;
            pool.kind = Kind::Destroyed;
            if pool.memory.live().len() == 0 {
                allocation::remove(session, handle as u64)?;
            }
            for card in session.visible.iter_mut().filter(|card| card.current_pool == handle as u64) {
                card.current_pool = card.default_pool;
            }
            Ok(())
        })
    }

    fn cuMemPoolTrimTo(handle: Handle, keep: usize) {
        session::with(|session| {
            let (card, bytes) = (pool(session, handle)?.card as u16, keep as u64);
            session.record.event_once("pool", "trimmed by the program");
            session.record.step(Request { kind: kind::TRIM, card, bytes, ..Request::default() });
            allocation::trim(session, handle as u64, keep as u64)
        })
    }

    fn cuMemPoolSetAccess(handle: Handle, _access: Handle, _count: usize) {
        session::with(|session| pool(session, handle).map(|_| ()))
    }

    fn cuMemPoolGetAttribute(handle: Handle, attribute: i32, value: *mut c_void) {
        session::with(|session| {
            let region = pool(session, handle)?;
            let Kind::Pool { used_high, reserved_high } = &region.kind else {
                return Err(Status::INVALID_VALUE);
            };
            let settings = region.memory.settings();
            let flag = |set: bool| Out(value.cast::<i32>()).put(set.into());
            let bytes = |bytes: u64| Out(value.cast::<u64>()).put(bytes);
            match attribute {
                REUSE_FOLLOW_EVENT_DEPENDENCIES => flag(settings.reuse_follow_event_dependencies),
                REUSE_ALLOW_OPPORTUNISTIC => flag(settings.reuse_allow_opportunistic),
                REUSE_ALLOW_INTERNAL_DEPENDENCIES => flag(settings.reuse_allow_internal_dependencies),
                RELEASE_THRESHOLD => bytes(settings.release_threshold),
                RESERVED_CURRENT => bytes(region.memory.reserved()),
                RESERVED_HIGH => bytes(*reserved_high),
                USED_CURRENT => bytes(region.memory.used()),
                USED_HIGH => bytes(*used_high),
                _ => Err(Status::INVALID_VALUE),
            }
        })
    }

    fn cuMemPoolSetAttribute(handle: Handle, attribute: i32, value: *mut c_void) {
        session::with(|session| {
            let region = pool(session, handle)?;
            let (used, reserved) = (region.memory.used(), region.memory.reserved());
            let mut settings = region.memory.settings();
            let Kind::Pool { used_high, reserved_high } = &mut region.kind else {
                return Err(Status::INVALID_VALUE);
            };
            let flag = || In(value.cast::<i32>().cast_const()).get().ok_or(Status::INVALID_VALUE);
            let bytes = || In(value.cast::<u64>().cast_const()).get().ok_or(Status::INVALID_VALUE);
            // Only a reset may be written to what counts.
            let reset = |high: &mut u64, to: u64| match bytes()? {
                0 => {
                    *high = to;
                    Ok(())
                }
                _ => Err(Status::INVALID_VALUE),
            };
            match attribute {
                REUSE_FOLLOW_EVENT_DEPENDENCIES => settings.reuse_follow_event_dependencies = flag()? != 0,
                REUSE_ALLOW_OPPORTUNISTIC => settings.reuse_allow_opportunistic = flag()? != 0,
                REUSE_ALLOW_INTERNAL_DEPENDENCIES => {
                    settings.reuse_allow_internal_dependencies = flag()? != 0;
                }
                RELEASE_THRESHOLD => settings.release_threshold = bytes()?,
                RESERVED_HIGH => return reset(reserved_high, reserved),
                USED_HIGH => return reset(used_high, used),
                _ => return Err(Status::INVALID_VALUE),
            }
            region.memory.set_up(settings);
            let card = region.card;
            let value = if attribute == RELEASE_THRESHOLD { bytes()? } else { flag()? as u64 };
            session.record.step(Request {
                kind: kind::SETTING,
                card: card as u16,
                address: attribute as u64,
                bytes: value,
                ..Request::default()
            });
            note_settings(session, card, settings);
            Ok(())
        })
    }
}

/// Writes down how a pool is set up, each time that it changes.
fn note_settings(session: &mut Session, card: usize, settings: PoolSettings) {
    session.record.event(&[
        &"settings",
        &card,
        &settings.release_threshold,
        &settings.reuse_follow_event_dependencies,
        &settings.reuse_allow_opportunistic,
        &settings.reuse_allow_internal_dependencies,
    ]);
}
