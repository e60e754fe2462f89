//! Memory of pools, in the order of a stream.

use super::alive::{Live, Place};
use super::driver::{Driver, Handle, OUT_OF_MEMORY, SUCCESS};
use super::session::{Session, at_once};

/// The thread's own stream, which is what a function for it means by 0.
const PER_THREAD: Handle = 2;

/// The stream that a function for the thread's own is told.
pub fn per_thread(stream: Handle) -> Handle {
    if stream == 0 { PER_THREAD } else { stream }
}

/// Counts what came of a request, of the pool that is named or the card's.
fn count(
    session: &mut Session,
    driver: &Driver,
    (code, address, bytes): (i32, *const u64, usize),
    (pool, stream): (Option<Handle>, Handle),
) {
    let Session { record, counts, .. } = session;
    let Some(card) = counts.card(driver, record) else { return };
    let Some(pool) = pool.or_else(|| counts.current_pool(driver, card)) else { return };
    let Some(of) = counts.pools.get(&pool).copied() else {
        record.event_once("uncounted", "memory of a pool that the program did not make");
        return;
    };
    record.request(of.card, bytes as u64, stream as u64);
    if code == OUT_OF_MEMORY {
        record.refused(of.card, bytes as u64);
    }
    if code != SUCCESS || address.is_null() || bytes == 0 {
        return;
    }
    // SAFETY: the driver has written an address there.
    let address = unsafe { address.read_unaligned() };
    let place = if of.on_host { Place::Host } else { Place::Pool(pool) };
    counts.add(record, address, Live { card: of.card, bytes: bytes as u64, place }, stream);
    session.changed = true;
}

fn free(address: u64, stream: Handle, call: impl FnOnce(&Driver) -> i32) -> i32 {
    at_once(call, |session, _, code| {
        if code == SUCCESS {
            session.counts.remove(&mut session.record, address, stream);
            session.changed = true;
        }
    })
}

passed! {
    fn cuMemAllocAsync(address: *mut u64, bytes: usize, stream: Handle) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAllocAsync)(address, bytes, stream) },
            |session, driver, code| count(session, driver, (code, address, bytes), (None, stream)),
        )
    }

    fn cuMemAllocAsync_ptsz(address: *mut u64, bytes: usize, stream: Handle) {
        let own = per_thread(stream);
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAllocAsync_ptsz)(address, bytes, stream) },
            |session, driver, code| count(session, driver, (code, address, bytes), (None, own)),
        )
    }

    fn cuMemAllocFromPoolAsync(address: *mut u64, bytes: usize, pool: Handle, stream: Handle) {
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAllocFromPoolAsync)(address, bytes, pool, stream) },
            |session, driver, code| count(session, driver, (code, address, bytes), (Some(pool), stream)),
        )
    }

    fn cuMemAllocFromPoolAsync_ptsz(address: *mut u64, bytes: usize, pool: Handle, stream: Handle) {
        let own = per_thread(stream);
        at_once(
            // SAFETY: passed on as it came.
            |driver| unsafe { (driver.cuMemAllocFromPoolAsync_ptsz)(address, bytes, pool, stream) },
            |session, driver, code| count(session, driver, (code, address, bytes), (Some(pool), own)),
        )
    }

    fn cuMemFreeAsync(address: u64, stream: Handle) {
        // SAFETY: passed on as it came.
        free(address, stream, |driver| unsafe { (driver.cuMemFreeAsync)(address, stream) })
    }

    fn cuMemFreeAsync_ptsz(address: u64, stream: Handle) {
        // SAFETY: passed on as it came.
        free(address, per_thread(stream), |driver| unsafe { (driver.cuMemFreeAsync_ptsz)(address, stream) })
    }
}
