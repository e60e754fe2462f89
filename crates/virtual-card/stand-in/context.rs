//! Contexts: the primary one of each card, and others.

use std::cell::Cell;

use crate::protocol::{Request, kind};

use super::handles::{Handle, Object};
use super::pointer::Out;
use super::pools::Awaited;
use super::record::Record;
use super::session::{self, Session};
use super::status::Status;
use super::synchronize::synchronized;

/// The primary context of the first card; the others' follow, as far apart.
const PRIMARY: Handle = 0x0e00_0000;
const APART: Handle = 0x1000;

thread_local! {
    static CURRENT: Cell<Handle> = const { Cell::new(0) };
}

fn current() -> Handle {
    CURRENT.try_with(Cell::get).unwrap_or(0)
}

/// Whether the calling thread has one.
pub fn is_there() -> bool {
    current() != 0
}

fn primary(device: i32) -> Handle {
    PRIMARY + APART * device as Handle
}

/// The device of a context.
fn device_of(session: &mut Session, context: Handle) -> Result<i32, Status> {
    let number = context.wrapping_sub(PRIMARY) / APART;
    if number < session.visible.len() && primary(number as i32) == context {
        return Ok(number as i32);
    }
    match session.handles.get(context) {
        Ok(Object::Context(device)) => Ok(*device),
        _ => Err(Status::INVALID_CONTEXT),
    }
}

/// The device of the calling thread's context, for a call that needs the card.
pub fn current_device(session: &mut Session) -> Result<i32, Status> {
    let device = device_of(session, current())?;
    need(session, device)?;
    Ok(device)
}

/// That the card of the calling thread's context is there, if the thread has one.
pub fn need_card(session: &mut Session) -> Result<(), Status> {
    if !is_there() {
        return Ok(());
    }
    current_device(session).map(|_| ())
}

/// That the card of a device is there.
pub fn need(session: &mut Session, device: i32) -> Result<(), Status> {
    let number = session.card(device)?.number;
    session.need(number)
}

/// Makes a context current if the thread has none: what cudart does by itself, and with it the
/// libraries that are built on it.
pub fn need_one() -> Result<(), Status> {
    if current() == 0 {
        session::initialize()?;
        session::with(|session| open(session, 0))?;
        CURRENT.with(|cell| cell.set(primary(0)));
    }
    Ok(())
}

/// Works on the state with a context current, as [`need_one`] has it.
pub fn with_one<T>(work: impl FnOnce(&mut Session) -> Result<T, Status>) -> Result<T, Status> {
    need_one()?;
    session::with(|session| {
        need_card(session)?;
        work(session)
    })
}

/// Counts a context in, once for each card.
fn open(session: &mut Session, device: i32) -> Result<(), Status> {
    let bytes = session.facts.number("context");
    let number = session.card(device)?.number;
    session.need(number)?;
    if session.card(device)?.context_counted {
        return Ok(());
    }
    if !session.fits(number, bytes) {
        failed(&mut session.record, number, bytes);
        return Err(Status::OUT_OF_MEMORY);
    }
    session.record.grow(number, |c| &c.held, bytes);
    session.card(device)?.context_counted = true;
    Ok(())
}

fn synchronize(session: &mut Session, device: i32) -> Result<(), Status> {
    let (kind, number) = (kind::CONTEXT, session.card(device)?.number);
    session.record.step(Request { kind, card: number as u16, ..Request::default() });
    synchronized(session, Awaited::Card(number));
    Ok(())
}

fn failed(record: &mut Record, card: usize, bytes: u64) {
    record.tally(|t| &t.failed_allocations, 1);
    record.event(&[&"failed", &"a context", &card, &bytes, &record.held(card)]);
}

driver! {
    fn cuDevicePrimaryCtxRetain(context: Out<Handle>, device: i32) {
        session::with(|session| {
            open(session, device)?;
            session.card(device)?.retained += 1;
            context.put(primary(device))
        })
    }

    fn cuDevicePrimaryCtxRelease_v2(device: i32) {
        session::with(|session| {
            let card = session.card(device)?;
            card.retained = card.retained.checked_sub(1).ok_or(Status::INVALID_CONTEXT)?;
            Ok(())
        })
    }

    fn cuDevicePrimaryCtxGetState(device: i32, flags: Out<u32>, active: Out<i32>) {
        session::with(|session| {
            let is_active = session.card(device)?.retained > 0;
            flags.put(0)?;
            active.put(is_active.into())
        })
    }

    fn cuDevicePrimaryCtxSetFlags_v2(device: i32, _flags: u32) {
        session::with(|session| session.card(device).map(|_| ()))
    }

    fn cuCtxCreate_v2(context: Out<Handle>, _flags: u32, device: i32) {
        create(&context, device)
    }

    fn cuCtxCreate_v3(context: Out<Handle>, _affinity: Handle, _count: i32, _flags: u32, device: i32) {
        create(&context, device)
    }

    fn cuCtxCreate_v4(context: Out<Handle>, _parameters: Handle, _flags: u32, device: i32) {
        create(&context, device)
    }

    fn cuCtxDestroy_v2(context: Handle) {
        session::with(|session| session.handles.remove(context).map(|_| ()))
    }

    fn cuCtxGetCurrent(context: Out<Handle>) {
        context.put(current())
    }

    fn cuCtxSetCurrent(context: Handle) {
        if context != 0 {
            session::with(|session| device_of(session, context))?;
        }
        CURRENT.with(|cell| cell.set(context));
        Ok(())
    }

    fn cuCtxPushCurrent_v2(context: Handle) {
        session::with(|session| device_of(session, context))?;
        STACK.with_borrow_mut(|stack| stack.push(current()));
        CURRENT.with(|cell| cell.set(context));
        Ok(())
    }

    fn cuCtxPopCurrent_v2(context: Out<Handle>) {
        context.put_if_wanted(current());
        let below = STACK.with_borrow_mut(Vec::pop).unwrap_or(0);
        CURRENT.with(|cell| cell.set(below));
        Ok(())
    }

    fn cuCtxGetDevice(device: Out<i32>) {
        session::with(|session| device.put(device_of(session, current())?))
    }

    fn cuCtxGetDevice_v2(device: Out<i32>, context: Handle) {
        session::with(|session| {
            let context = if context == 0 { current() } else { context };
            device.put(device_of(session, context)?)
        })
    }

    fn cuCtxGetApiVersion(_context: Handle, version: Out<u32>) {
        version.put(3020)
    }

    fn cuCtxGetFlags(flags: Out<u32>) {
        flags.put(0)
    }

    fn cuCtxSynchronize() {
        session::with(|session| {
            let device = current_device(session)?;
            synchronize(session, device)
        })
    }

    fn cuCtxSynchronize_v2(context: Handle) {
        session::with(|session| {
            let context = if context == 0 { current() } else { context };
            let device = device_of(session, context)?;
            need(session, device)?;
            synchronize(session, device)
        })
    }

    fn cuCtxSetCacheConfig(_config: i32) {
        Ok(())
    }

    fn cuCtxGetStreamPriorityRange(least: Out<i32>, greatest: Out<i32>) {
        least.put_if_wanted(0);
        greatest.put_if_wanted(-5);
        Ok(())
    }
}

thread_local! {
    static STACK: std::cell::RefCell<Vec<Handle>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn create(context: &Out<Handle>, device: i32) -> Result<(), Status> {
    session::with(|session| {
        open(session, device)?;
        let handle = session.handles.add(Object::Context(device));
        context.put(handle)?;
        CURRENT.with(|cell| cell.set(handle));
        Ok(())
    })
}
