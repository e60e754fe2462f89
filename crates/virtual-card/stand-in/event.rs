//! Events, which keep the host's own time.

use std::time::Instant;

use super::context;
use super::handles::{Handle, Object};
use super::pointer::Out;
use super::session;
use super::status::Status;

/// `CU_EVENT_DISABLE_TIMING`.
const NO_TIMES: u32 = 2;

/// `CUDA_ERROR_NOT_READY` is never answered: what was asked for is done.
fn elapsed(milliseconds: &Out<f32>, from: Handle, to: Handle) -> Result<(), Status> {
    session::with(|session| {
        let mut time = |event| match session.handles.get(event)? {
            Object::Event { recorded: Some(at), timed: true } => Ok(*at),
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

fn record(event: Handle) -> Result<(), Status> {
    session::with(|session| match session.handles.get(event)? {
        Object::Event { recorded, timed } => {
            *recorded = timed.then(Instant::now);
            Ok(())
        }
        _ => Err(Status::INVALID_HANDLE),
    })
}

fn known(event: Handle) -> Result<(), Status> {
    session::with(|session| match session.handles.get(event)? {
        Object::Event { .. } => Ok(()),
        _ => Err(Status::INVALID_HANDLE),
    })
}

driver! {
    fn cuEventCreate(to: Out<Handle>, flags: u32) {
        session::with(|session| {
            context::current_device(session)?;
            let timed = flags & NO_TIMES == 0;
            to.put(session.handles.add(Object::Event { recorded: None, timed }))
        })
    }

    fn cuEventDestroy_v2(event: Handle) {
        session::with(|session| session.handles.remove(event).map(|_| ()))
    }

    fn cuEventRecord(event: Handle, _stream: Handle) {
        record(event)
    }

    fn cuEventRecordWithFlags(event: Handle, _stream: Handle, _flags: u32) {
        record(event)
    }

    fn cuEventQuery(event: Handle) {
        known(event)
    }

    fn cuEventSynchronize(event: Handle) {
        known(event)?;
        session::with(|session| {
            super::synchronize::synchronized(session);
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
