//! What a synchronisation brings with it.

use super::loaded;
use super::pools::{self, Awaited};
use super::session::Session;

/// The host waits for the card: pools let go of what they may not keep, and what is held is marked.
pub fn synchronized(session: &mut Session, awaited: Awaited) {
    loaded::check_if_changed(&mut session.record);
    session.record.mark("sync", "");
    pools::synchronize(session, awaited);
}
