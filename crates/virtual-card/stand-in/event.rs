//! Events, which keep the host's own time.

use std::time::Instant;

use crate::protocol::Request;

use super::context;
use super::handles::{Handle, Object, Order};
use super::pointer::Out;
use super::pools::Awaited;
use super::session::{self, Session};
use super::status::Status;
use super::stream_order::number;

/// `CU_EVENT_DISABLE_TIMING`.
const NO_TIMES: u32 = 2;

/// `CUDA_ERROR_NOT_READY` is never answered: what was asked for is done.
fn elapsed(milliseconds: &Out<f32>, from: Handle, to: Handle) -> Result<(), Status> {
    session::with(|session| {
        context::need_card(session)?;
        let mut time = |event| match session.handles.get(event)? {
            Object::Event { recorded: Some(at), timed: true, .. } => Ok(*at),
            _ => Err(Status::INVALID_HANDLE),
        };
        let (from, to) = (time(from)?, time(to)?);
        session.record.tally(|t| &t.times_read, 1);
        let seconds = match to.checked_duration_since(from) {
            Some(after) => after.as_secs_f32(),
            None => -from.duration_since(to).as_secs_f32(),
        };
        milliseconds.put(seconds * 1e3)
    })
}

fn record(event: Handle, stream: Handle) -> Result<(), Status> {
    session::with(|session| {
        context::need_card(session)?;
        let (stream, steps) = (number(session, stream), session.record.steps());
        match session.handles.get(event)? {
            Object::Event { recorded, timed, order } => {
                *recorded = timed.then(Instant::now);
                *order = Order { stream, steps };
                Ok(())
            }
            _ => Err(Status::INVALID_HANDLE),
        }
    })
}

/// What an event was recorded after, for a call that needs the card.
pub fn order(session: &mut Session, event: Handle) -> Result<Order, Status> {
    context::need_card(session)?;
    match session.handles.get(event)? {
        Object::Event { order, .. } => Ok(*order),
        _ => Err(Status::INVALID_HANDLE),
    }
}

driver! {
    fn cuEventCreate(to: Out<Handle>, flags: u32) {
        session::with(|session| {
            context::current_device(session)?;
            let timed = flags & NO_TIMES == 0;
            to.put(session.handles.add(Object::Event { recorded: None, timed, order: Order::default() }))
        })
    }

    fn cuEventDestroy_v2(event: Handle) {
        session::with(|session| session.handles.remove(event).map(|_| ()))
    }

    fn cuEventRecord(event: Handle, stream: Handle) {
        record(event, stream)
    }

    fn cuEventRecordWithFlags(event: Handle, stream: Handle, _flags: u32) {
        record(event, stream)
    }

    fn cuEventQuery(event: Handle) {
        session::with(|session| order(session, event).map(|_| ()))
    }

    fn cuEventSynchronize(event: Handle) {
        session::with(|session| {
            let Order { stream, steps } = order(session, event)?;
            session.record.step(Request::event(stream, steps));
            super::synchronize::synchronized(session, Awaited::Until(Order { stream, steps }));
            Ok(())
        })
    }

    fn cuEventElapsedTime(milliseconds: Out<f32>, from: Handle, to: Handle) {
        elapsed(&milliseconds, from, to)
    }

    fn cuEventElapsedTime_v2(milliseconds: Out<f32>, from: Handle, to: Handle) {
        elapsed(&milliseconds, from, to)
    }
}
