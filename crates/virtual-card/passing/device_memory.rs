//! Memory of a card beside its pools.

use super::alive::{Live, Place};
use super::driver::{self, Driver, OUT_OF_MEMORY, SUCCESS};
use super::session::{Inside, Session, after};

/// Set in what stands for memory that is made without an address.
const MADE: u64 = 1 << 63;

fn count(session: &mut Session, card: usize, code: i32, address: u64, bytes: u64) {
    session.record.request(card, bytes, 0);
    if code == OUT_OF_MEMORY {
        session.record.refused(card, bytes);
    }
    if code == SUCCESS {
        let live = Live { card, bytes, place: Place::Outside };
        session.counts.add(&mut session.record, address, live, 0);
        session.changed = true;
    }
}

/// Counts what came of a request on the card of the thread's context.
fn count_here(
    session: &mut Session,
    driver: &Driver,
    code: i32,
    address: *const u64,
    bytes: Option<usize>,
) {
    let Some(card) = session.counts.card(driver, &mut session.record) else { return };
    let Some(bytes) = bytes else { return };
    // SAFETY: the driver has written an address there if all is well.
    let address = if code == SUCCESS { unsafe { address.read_unaligned() } } else { 0 };
    count(session, card, code, address, bytes as u64);
}

/// Frees what has this address. It is counted first: another thread may be given the address at once.
fn free(address: u64, call: impl FnOnce(&Driver) -> i32) -> i32 {
    let Some(inside) = Inside::enter() else { return call(driver::get()) };
    let taken = inside.with(|session, _| {
        session.changed = true;
        session.counts.remove(&mut session.record, address, 0)
    });
    let code = call(driver::get());
    if let (Some(Some(live)), true) = (taken, code != SUCCESS) {
        inside.with(|session, _| session.counts.add(&mut session.record, address, live, 0));
    }
    code
}

passed! {
    fn cuMemAlloc_v2(address: *mut u64, bytes: usize) {
        after(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAlloc_v2)(address, bytes) },
            |session, driver, code| count_here(session, driver, code, address, Some(bytes)),
        )
    }

    fn cuMemAllocPitch_v2(address: *mut u64, pitch: *mut usize, width: usize, height: usize, element: u32) {
        after(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAllocPitch_v2)(address, pitch, width, height, element) },
            |session, driver, code| {
                // SAFETY: the driver has written the bytes of a row there if all is well.
                let row = if code == SUCCESS { unsafe { pitch.read_unaligned() } } else { width };
                count_here(session, driver, code, address, row.checked_mul(height));
            },
        )
    }

    fn cuMemAllocManaged(address: *mut u64, bytes: usize, flags: u32) {
        after(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAllocManaged)(address, bytes, flags) },
            |session, driver, code| count_here(session, driver, code, address, Some(bytes)),
        )
    }

    fn cuMemFree_v2(address: u64) {
        // SAFETY: passed on as it came.
        free(address, |driver| unsafe { (driver.cuMemFree_v2)(address) })
    }

    /// The third and fourth word of the properties are the kind of place, 1 for a card, and its number.
    fn cuMemCreate(handle: *mut u64, bytes: usize, properties: *const [i32; 4], flags: u64) {
        after(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemCreate)(handle, bytes, properties, flags) },
            |session, _, code| {
                if properties.is_null() {
                    return;
                }
                // SAFETY: the driver took these properties.
                let [_, _, place, number] = unsafe { properties.read_unaligned() };
                let (1, Ok(card)) = (place, usize::try_from(number)) else { return };
                // SAFETY: the driver has written a handle there if all is well.
                let made = if code == SUCCESS { unsafe { handle.read_unaligned() } } else { 0 };
                count(session, card, code, MADE | made, bytes as u64);
            },
        )
    }

    fn cuMemRelease(handle: u64) {
        // SAFETY: passed on as it came.
        free(MADE | handle, |driver| unsafe { (driver.cuMemRelease)(handle) })
    }
}
