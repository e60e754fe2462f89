//! Marks, set by the program and at synchronisations.

use super::counters::counters;
use super::driver::Driver;
use super::session::{Inside, Session};

/// The host waited for the card. What is held is marked, if anything happened since the last mark.
pub fn synchronized(session: &mut Session, driver: &Driver) {
    if std::mem::take(&mut session.changed) {
        let beside = counters(&mut session.record, &mut session.counts, driver, false);
        session.record.mark_beside("sync", "", &beside);
    }
}

/// The listener of `vram_metrics::mark`.
#[unsafe(export_name = "vram_trace_vram_trace_mark")]
pub extern "C" fn mark(name: *const u8, bytes: usize) {
    if name.is_null() && bytes != 0 {
        return;
    }
    let Some(inside) = Inside::enter() else { return };
    // SAFETY: whoever sets a mark passes as many bytes, which are looked at during the call alone.
    let name = if bytes == 0 { &[] } else { unsafe { std::slice::from_raw_parts(name, bytes) } };
    inside.with(|session, driver| {
        session.changed = false;
        let beside = counters(&mut session.record, &mut session.counts, driver, true);
        session.record.mark_beside("mark", &String::from_utf8_lossy(name), &beside);
    });
}
