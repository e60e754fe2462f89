//! What puts streams and the host in an order: synchronisations, events and waits for them.

use crate::protocol::{Request, kind};

use super::driver::{self, Driver, Handle, SUCCESS};
use super::marks;
use super::pool_memory::per_thread;
use super::session::{Inside, Order, Session, after, is_logged};

fn synchronize(
    call: impl FnOnce(&Driver) -> i32,
    step: impl FnOnce(&mut Session, &Driver) -> Option<Request>,
) -> i32 {
    after(call, |session, driver, code| {
        if code == SUCCESS {
            if let Some(step) = step(session, driver) {
                session.record.step(step);
            }
            marks::synchronized(session, driver);
        }
    })
}

fn stream(stream: Handle) -> Option<Request> {
    Some(Request { kind: kind::STREAM, stream: stream as u64, ..Request::default() })
}

fn context(session: &mut Session, driver: &Driver) -> Option<Request> {
    let card = session.counts.card(driver, &mut session.record)? as u16;
    Some(Request { kind: kind::CONTEXT, card, ..Request::default() })
}

/// Calls the driver; what it says of the order is noted where steps are written down one by one.
fn noted(call: impl FnOnce(&Driver) -> i32, note: impl FnOnce(&mut Session)) -> i32 {
    let code = call(driver::get());
    let noted = (code == SUCCESS && is_logged()).then(Inside::enter).flatten();
    if let Some(inside) = noted {
        inside.with(|session, _| note(session));
    }
    code
}

fn recorded(session: &mut Session, event: Handle, stream: Handle) {
    let steps = session.record.steps();
    session.events.insert(event, Order { stream, steps });
}

fn waits(session: &mut Session, stream: Handle, event: Handle) {
    let order = session.events.get(&event).filter(|order| order.stream != stream);
    if let Some(Order { stream: other, steps }) = order.copied() {
        session.record.step(Request::wait(stream as u64, other as u64, steps));
    }
}

passed! {
    fn cuStreamSynchronize(of: Handle) {
        // SAFETY: passed on as it came.
        synchronize(|driver| unsafe { (driver.cuStreamSynchronize)(of) }, |_, _| stream(of))
    }

    fn cuStreamSynchronize_ptsz(of: Handle) {
        // SAFETY: passed on as it came.
        synchronize(|driver| unsafe { (driver.cuStreamSynchronize_ptsz)(of) }, |_, _| stream(per_thread(of)))
    }

    fn cuCtxSynchronize() {
        // SAFETY: passed on as it came.
        synchronize(|driver| unsafe { (driver.cuCtxSynchronize)() }, context)
    }

    fn cuCtxSynchronize_v2(of: Handle) {
        // SAFETY: passed on as it came.
        synchronize(|driver| unsafe { (driver.cuCtxSynchronize_v2)(of) }, |session, driver| {
            // Which card another context is of, nobody asked.
            if of == 0 { context(session, driver) } else { None }
        })
    }

    fn cuEventSynchronize(event: Handle) {
        // SAFETY: passed on as it came.
        synchronize(|driver| unsafe { (driver.cuEventSynchronize)(event) }, |session, _| {
            let Order { stream, steps } = *session.events.get(&event)?;
            Some(Request::event(stream as u64, steps))
        })
    }

    fn cuEventRecord(event: Handle, stream: Handle) {
        // SAFETY: passed on as it came.
        noted(|driver| unsafe { (driver.cuEventRecord)(event, stream) }, |session| {
            recorded(session, event, stream);
        })
    }

    fn cuEventRecord_ptsz(event: Handle, stream: Handle) {
        // SAFETY: passed on as it came.
        noted(|driver| unsafe { (driver.cuEventRecord_ptsz)(event, stream) }, |session| {
            recorded(session, event, per_thread(stream));
        })
    }

    fn cuEventRecordWithFlags(event: Handle, stream: Handle, flags: u32) {
        // SAFETY: passed on as it came.
        noted(|driver| unsafe { (driver.cuEventRecordWithFlags)(event, stream, flags) }, |session| {
            recorded(session, event, stream);
        })
    }

    fn cuEventRecordWithFlags_ptsz(event: Handle, stream: Handle, flags: u32) {
        // SAFETY: passed on as it came.
        noted(|driver| unsafe { (driver.cuEventRecordWithFlags_ptsz)(event, stream, flags) }, |session| {
            recorded(session, event, per_thread(stream));
        })
    }

    fn cuStreamWaitEvent(stream: Handle, event: Handle, flags: u32) {
        // SAFETY: passed on as it came.
        noted(|driver| unsafe { (driver.cuStreamWaitEvent)(stream, event, flags) }, |session| {
            waits(session, stream, event);
        })
    }

    fn cuStreamWaitEvent_ptsz(stream: Handle, event: Handle, flags: u32) {
        // SAFETY: passed on as it came.
        noted(|driver| unsafe { (driver.cuStreamWaitEvent_ptsz)(stream, event, flags) }, |session| {
            waits(session, per_thread(stream), event);
        })
    }

    fn cuEventDestroy_v2(event: Handle) {
        // SAFETY: passed on as it came.
        noted(|driver| unsafe { (driver.cuEventDestroy_v2)(event) }, |session| {
            session.events.remove(&event);
        })
    }
}
