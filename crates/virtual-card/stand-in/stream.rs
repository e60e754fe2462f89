//! Streams. Nothing runs, so that everything is done at once.

use std::ffi::c_void;

use crate::protocol::{Request, kind};

use super::handles::{Handle, Object, Order, is_of_context};
use super::pointer::Out;
use super::pools::{self, Awaited};
use super::session::{self, Session};
use super::status::Status;
use super::stream_order::number;
use super::synchronize::synchronized;
use super::{context, event};

fn known(session: &mut Session, stream: Handle) -> Result<(), Status> {
    context::need_card(session)?;
    if is_of_context(stream) {
        return context::current_device(session).map(|_| ());
    }
    match *session.handles.get(stream)? {
        Object::Stream { device, .. } => context::need(session, device),
        _ => Err(Status::INVALID_HANDLE),
    }
}

fn create(to: &Out<Handle>, flags: u32, priority: i32) -> Result<(), Status> {
    session::with(|session| {
        let device = context::current_device(session)?;
        to.put(session.handles.add(Object::Stream { device, priority, flags }))
    })
}

fn of(stream: Handle) -> Result<(i32, u32), Status> {
    session::with(|session| {
        known(session, stream)?;
        match session.handles.get(stream) {
            Ok(Object::Stream { priority, flags, .. }) => Ok((*priority, *flags)),
            _ => Ok((0, 0)),
        }
    })
}

driver! {
    fn cuStreamCreate(to: Out<Handle>, flags: u32) {
        create(&to, flags, 0)
    }

    fn cuStreamCreateWithPriority(to: Out<Handle>, flags: u32, priority: i32) {
        create(&to, flags, priority)
    }

    fn cuStreamDestroy_v2(stream: Handle) {
        session::with(|session| session.handles.remove(stream).map(|_| ()))
    }

    fn cuStreamGetPriority(stream: Handle, priority: Out<i32>) {
        priority.put(of(stream)?.0)
    }

    fn cuStreamGetFlags(stream: Handle, flags: Out<u32>) {
        flags.put(of(stream)?.1)
    }

    fn cuStreamSynchronize(stream: Handle) {
        session::with(|session| {
            known(session, stream)?;
            let (kind, stream) = (kind::STREAM, number(session, stream));
            session.record.step(Request { kind, stream, ..Request::default() });
            let everything = Order { stream, steps: u64::MAX };
            synchronized(session, Awaited::Until(everything));
            Ok(())
        })
    }

    fn cuStreamQuery(stream: Handle) {
        session::with(|session| known(session, stream))
    }

    fn cuStreamWaitEvent(stream: Handle, event: Handle, _flags: u32) {
        session::with(|session| {
            known(session, stream)?;
            let stream = number(session, stream);
            let Order { stream: other, steps } = event::order(session, event)?;
            if other != stream {
                session.record.step(Request::wait(stream, other, steps));
                pools::wait(session, stream, Order { stream: other, steps });
            }
            Ok(())
        })
    }

    /// 0: nothing is captured, since a capture cannot be begun.
    fn cuStreamIsCapturing(stream: Handle, status: Out<i32>) {
        session::with(|session| {
            known(session, stream)?;
            status.put(0)
        })
    }

    fn cuStreamAttachMemAsync(stream: Handle, _address: u64, _bytes: usize, _flags: u32) {
        session::with(|session| known(session, stream))
    }

    fn cuLaunchHostFunc(stream: Handle, function: Option<extern "C" fn(*mut c_void)>, data: *mut c_void) {
        session::with(|session| known(session, stream))?;
        // What came before it is done.
        function.ok_or(Status::INVALID_VALUE)?(data);
        Ok(())
    }

    fn cuStreamAddCallback(
        stream: Handle,
        function: Option<extern "C" fn(Handle, i32, *mut c_void)>,
        data: *mut c_void,
        _flags: u32,
    ) {
        session::with(|session| known(session, stream))?;
        function.ok_or(Status::INVALID_VALUE)?(stream, 0, data);
        Ok(())
    }
}
