//! What the driver's own counters say.

use std::fmt::Write;

use super::counts::Counts;
use super::driver::{Driver, SUCCESS};
use super::record::Record;

/// Attributes of `CUmemPool_attribute`.
const RESERVED_CURRENT: i32 = 5;
pub const RESERVED_HIGH: i32 = 6;
const USED_CURRENT: i32 = 7;
pub const USED_HIGH: i32 = 8;

/// Asks every card in use for its counters: a line each, with ours beside them. The memory that is free
/// is asked for `with_memory`, of the card of the thread's context.
pub fn counters(
    record: &mut Record,
    counts: &mut Counts,
    driver: &Driver,
    with_memory: bool,
) -> String {
    let current = counts.card(driver, record);
    let mut lines = String::new();
    for card in 0..counts.cards.len() {
        let Some(pool) = counts.cards[card].current_pool.or_else(|| {
            (current == Some(card)).then(|| counts.current_pool(driver, card)).flatten()
        }) else {
            continue;
        };
        let read = |attribute| driver.pool_attribute(pool, attribute);
        let (Some(used), Some(used_high)) = (read(USED_CURRENT), read(USED_HIGH)) else { continue };
        let (Some(reserved), Some(reserved_high)) = (read(RESERVED_CURRENT), read(RESERVED_HIGH))
        else {
            continue;
        };
        counts.reserve(record, card, reserved, reserved_high);
        let Some(ours) = counts.pools.get(&pool) else { continue };
        let others = counts.pools.iter().filter(|(of, _)| **of != pool);
        let elsewhere: u64 =
            others.filter(|(_, p)| p.card == card && !p.on_host).map(|(_, p)| p.used).sum();
        let _ = write!(
            lines,
            "counted\t{card}\t{used}\t{used_high}\t{reserved}\t{reserved_high}\t{}\t{}\t{elsewhere}",
            ours.used, ours.used_high
        );
        if with_memory && current == Some(card) {
            let (mut free, mut total) = (0usize, 0usize);
            // SAFETY: two places to write numbers to.
            let code = unsafe { (driver.cuMemGetInfo_v2)(&raw mut free, &raw mut total) };
            if code == SUCCESS {
                let _ = write!(lines, "\t{free}\t{total}");
            }
        }
        lines.push('\n');
    }
    lines
}
