//! Calls of functions that are not modelled, and of those that have only an effect on the card.

use std::ffi::c_void;

use super::context;
use super::pointer::{Out, Text};
use super::session;
use super::status::Status;

exported! {
    /// Every function that is named and not implemented comes here: `code` is what its library
    /// answers for what it does not support.
    fn unmodelled(name: Text, code: i64) -> i64 {
        note(&name.get().unwrap_or_default());
        code
    }

    /// A library function that writes memory of the card and nothing else. Which library's it is is not
    /// known: of a card that is lost it has the driver's code, which no library takes for success.
    fn writes() -> i32 {
        let written = session::with(|session| {
            context::need_card(session)?;
            session.written_anywhere();
            Ok(())
        });
        match written {
            Err(lost @ Status::UNKNOWN) => lost.0,
            _ => 0,
        }
    }

    /// A library function that keeps a setting.
    fn keeps() -> i32 {
        0
    }

    /// The listener of `vram_metrics::mark`.
    fn vram_virtual_card_mark(name: *const u8, bytes: usize) {
        let name = super::pointer::host_bytes(name, bytes).unwrap_or_default();
        session::note(|session| session.record.mark("mark", &String::from_utf8_lossy(name)));
    }
}

fn note(name: &str) {
    session::note(|session| {
        session.record.tally(|t| &t.unmodelled_calls, 1);
        session.record.event_once("unmodelled", name);
    });
}

driver! {
    /// Tables of functions that no header names: a statically linked cudart works by them.
    fn cuGetExportTable(table: Out<*const c_void>, _id: *const c_void) {
        session::with(|session| {
            session.record.event_once("private_tables", "");
            Ok(())
        })?;
        table.put_if_wanted(std::ptr::null());
        Err(Status::NOT_FOUND)
    }

    /// A capture records what would be launched later, which is not modelled: the program is told so.
    fn cuStreamBeginCapture_v2(_stream: usize, _mode: i32) {
        note("cuStreamBeginCapture");
        Err(Status::NOT_SUPPORTED)
    }
}
