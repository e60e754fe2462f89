//! What a synchronisation brings with it.

use super::session::Session;
use super::{loaded, pools};

/// The host waits for the card: pools let go of what they may not keep, and what is held is marked.
pub fn synchronized(session: &mut Session) {
    loaded::check_if_changed(&mut session.record);
    session.record.mark("sync", "");
    pools::release_idle(session);
}
