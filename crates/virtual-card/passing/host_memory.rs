//! Page-locked memory of the host.

use std::ffi::c_void;

use super::alive::{Live, Place};
use super::driver::{Driver, SUCCESS};
use super::session::{Session, after, at_once};

fn count(session: &mut Session, driver: &Driver, code: i32, at: *const *mut c_void, bytes: usize) {
    let Some(card) = session.counts.card(driver, &mut session.record) else { return };
    if code == SUCCESS {
        // SAFETY: the driver has written an address there.
        let address = unsafe { at.read_unaligned() } as u64;
        let live = Live { card, bytes: bytes as u64, place: Place::Host };
        session.counts.add(&mut session.record, address, live, 0);
        session.changed = true;
    }
}

passed! {
    fn cuMemHostAlloc(at: *mut *mut c_void, bytes: usize, flags: u32) {
        after(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemHostAlloc)(at, bytes, flags) },
            |session, driver, code| count(session, driver, code, at, bytes),
        )
    }

    fn cuMemAllocHost_v2(at: *mut *mut c_void, bytes: usize) {
        after(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAllocHost_v2)(at, bytes) },
            |session, driver, code| count(session, driver, code, at, bytes),
        )
    }

    fn cuMemFreeHost(at: *mut c_void) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemFreeHost)(at) },
            |session, _, code| {
                if code == SUCCESS {
                    session.counts.remove(&mut session.record, at as u64, 0);
                    session.changed = true;
                }
            },
        )
    }
}
