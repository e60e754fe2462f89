//! In the order of which stream a call is, and on which device that is.

use super::context;
use super::handles::{Handle, Object, stream_number};
use super::session::Session;
use super::status::Status;

/// The device of a stream: of one that every context has, or that is not known, that of the thread's
/// context. It decides which card's pool the driver allocates from.
pub fn device(session: &mut Session, stream: Handle) -> Result<i32, Status> {
    match session.handles.get(stream) {
        Ok(Object::Stream { device, .. }) => Ok(*device),
        _ => context::current_device(session),
    }
}

/// The number of a stream, for the order of requests: that of a thread without a context is the first
/// device's.
pub fn number(session: &mut Session, stream: Handle) -> u64 {
    stream_number(device(session, stream).unwrap_or(0), stream)
}
