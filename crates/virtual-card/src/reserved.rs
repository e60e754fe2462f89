//! What a pool may have reserved, where that depends on how far the card was.

use std::collections::HashMap;

use crate::pool::{GRANULE, Pool, PoolSettings, Progress};
use crate::requests::{Memory, Step};

/// Plays what a process asked of the pool of `card`, on a card that is as far as `progress` says. Returns
/// reserved after as many steps as `marks` say, and the most until then, in bytes.
pub fn played(steps: &[Step], card: u32, marks: &[u64], progress: Progress) -> Vec<(u64, u64)> {
    let mut pool = Pool::new(GRANULE);
    pool.set_up(PoolSettings::DEFAULT);
    pool.set_progress(progress);
    let mut offsets = HashMap::new();
    let (mut peak, mut found) = (0, Vec::new());
    let mut marks = marks.iter().copied().peekable();
    for (number, step) in (0u64..).zip(steps) {
        while marks.next_if(|mark| *mark <= number).is_some() {
            found.push((pool.reserved(), peak));
        }
        match *step {
            Step::Allocate { card: on, memory: Memory::Pool, address, bytes, stream, .. }
                if on == card =>
            {
                if let Some(placement) = pool.place(bytes, stream) {
                    pool.take(placement);
                    offsets.insert(address, placement.offset);
                }
            }
            Step::Free { address, stream } => {
                if let Some(offset) = offsets.remove(&address) {
                    pool.free(offset, stream, number);
                }
            }
            Step::SynchronizeStream { stream } => {
                pool.synchronize(stream, u64::MAX);
            }
            Step::SynchronizeContext { card: on } if on == card => {
                pool.synchronize_all();
            }
            Step::SynchronizeEvent { stream, until } => {
                pool.synchronize(stream, until);
            }
            Step::Wait { stream, other, until } => pool.wait(stream, other, until),
            Step::Trim { card: on, keep } if on == card => {
                pool.trim(keep);
            }
            Step::Setting { card: on, attribute, value } if on == card => {
                let mut settings = pool.settings();
                settings.set(attribute, value);
                pool.set_up(settings);
            }
            _ => {}
        }
        peak = peak.max(pool.reserved());
    }
    found.extend(marks.map(|_| (pool.reserved(), peak)));
    found
}
