//! What a pool may have reserved, where that depends on how far the card was.
//!
//! Opportunistic reuse takes what the card is done with at that moment. When that is depends on the host
//! and the card, so what a process asked for is played on several of both. They take time as real ones do:
//! a card that keeps up with every kernel, one that is done with nothing, or one that is a fixed number of
//! calls behind, is none, and would reserve what none does.

use std::collections::HashMap;

use serde::Serialize;

use crate::pool::{GRANULE, Pool, PoolSettings, Progress};
use crate::progress::{Clock, Speed};
use crate::requests::{Memory, Step};
use crate::sequence::Setting;

/// Bytes that kernels fill in a nanosecond, twice as many from each to the next: from a small card's to
/// an H200's, whose kernels read and write more than what they fill.
const BYTES: [u64; 5] = [64, 128, 256, 512, 1024];

/// Nanoseconds that any kernel takes: less than the calls before the next, so that the card keeps up with
/// small ones, and more, so that it does not.
const STARTS: [u64; 2] = [2_000, 10_000];

/// Nanoseconds in which a pool grows by a granule and the host does what is between two kernels. As the
/// host launches nothing meanwhile, the card catches up where the pool grows.
const GROWTHS: [u64; 2] = [160_000, 320_000];

/// Nanoseconds in which any card reads all of its memory: those with the slowest, of 24 GB at 300 GB a
/// second, take as long. So a card that has room for much is fast.
const READS_ALL: u64 = 80_000_000;

/// From as many steps on, fewer cards are looked at: playing takes a microsecond a step.
const MANY: usize = 200_000;

/// The least and the most of something, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Span {
    /// From the least to the most of these; none if there are none.
    pub fn of(all: impl IntoIterator<Item = u64>) -> Option<Self> {
        all.into_iter().map(|one| Self { least: one, most: one }).reduce(Self::with)
    }

    /// From the least to the most of both.
    pub fn with(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
}

/// What a card's default pool reserves, over hosts and cards of several speeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// At most.
    pub peak: Span,
    /// At each mark.
    pub at_marks: Vec<Span>,
}

/// Of what a process asked of the default pool of `card` in `steps`, with marks after as many steps as
/// `marks` say, in their order.
pub fn reserved(steps: &[Step], card: u32, marks: &[u64]) -> Reserved {
    let every = if steps.len() < MANY { 1 } else { BYTES.len() - 1 };
    let mut played: Vec<Played> = Vec::new();
    for bytes in BYTES.into_iter().rev().step_by(every) {
        if played.first().is_some_and(|fastest| fastest.peak / bytes > READS_ALL) {
            break;
        }
        let starts = STARTS.into_iter();
        let speeds = starts.flat_map(|start| GROWTHS.map(|growth| Speed { growth, start, bytes }));
        played.extend(speeds.map(|speed| play(steps, card, marks, speed)));
    }
    let span = |of: &dyn Fn(&Played) -> u64| {
        Span::of(played.iter().map(of)).unwrap_or(Span { least: 0, most: 0 })
    };
    Reserved {
        peak: span(&|played| played.peak),
        at_marks: (0..marks.len()).map(|i| span(&|played| played.at_marks[i])).collect(),
    }
}

/// What a pool came to on one card.
struct Played {
    peak: u64,
    at_marks: Vec<u64>,
}

fn play(steps: &[Step], card: u32, marks: &[u64], speed: Speed) -> Played {
    let mut replayed = Replayed::new(card, speed);
    let mut played = Played { peak: 0, at_marks: Vec::new() };
    let mut marks = marks.iter().peekable();
    for (number, step) in (0..).zip(steps) {
        while marks.next_if(|mark| **mark <= number).is_some() {
            played.at_marks.push(replayed.pool.reserved());
        }
        replayed.step(number, step);
        played.peak = played.peak.max(replayed.pool.reserved());
    }
    played.at_marks.extend(marks.map(|_| replayed.pool.reserved()));
    played
}

/// The pool of one card, how far the card is, and where allocations lie in the pool.
struct Replayed {
    pool: Pool,
    clock: Clock,
    card: u32,
    offsets: HashMap<u64, u64>,
}

impl Replayed {
    fn new(card: u32, speed: Speed) -> Self {
        let mut pool = Pool::new(GRANULE);
        pool.set_up(PoolSettings::DEFAULT);
        Self { pool, clock: Clock::new(speed), card, offsets: HashMap::new() }
    }

    fn step(&mut self, number: u64, step: &Step) {
        match *step {
            Step::Allocate { card, memory: Memory::Pool, address, bytes, stream, .. }
                if card == self.card =>
            {
                self.pool.set_progress(Progress::DoneBefore(self.clock.done_before()));
                if let Some(placement) = self.pool.place(bytes, stream) {
                    self.clock.allocate(bytes, placement.growth / GRANULE);
                    self.pool.take(placement);
                    self.offsets.insert(address, placement.offset);
                }
            }
            Step::Free { address, stream } => {
                if let Some(offset) = self.offsets.remove(&address) {
                    self.clock.free(number);
                    self.pool.free(offset, stream, number);
                }
            }
            Step::SynchronizeStream { stream } => {
                self.clock.synchronize();
                self.pool.synchronize(stream, u64::MAX);
            }
            Step::SynchronizeContext { card } if card == self.card => {
                self.clock.synchronize();
                self.pool.synchronize_all();
            }
            Step::SynchronizeEvent { stream, until } => {
                self.clock.synchronize_before(until);
                self.pool.synchronize(stream, until);
            }
            Step::Wait { stream, other, until } => self.pool.wait(stream, other, until),
            Step::Trim { card, keep } if card == self.card => {
                self.pool.trim(keep);
            }
            Step::Setting { card, attribute, value } if card == self.card => {
                if let Some(setting) = Setting::of_attribute(attribute, value) {
                    let mut settings = self.pool.settings();
                    setting.apply(&mut settings);
                    self.pool.set_up(settings);
                }
            }
            Step::Allocate { .. }
            | Step::SynchronizeContext { .. }
            | Step::Trim { .. }
            | Step::Setting { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocate(address: u64, bytes: u64, stream: u64) -> Step {
        Step::Allocate { card: 0, memory: Memory::Pool, address, bytes, stream, stack: None }
    }

    /// A large allocation is freed beside addresses that nobody had yet. On a card that is done with it they
    /// are one range, which holds the next; on one that is not, that is taken afresh.
    fn done_by_fast_cards() -> Vec<Step> {
        let size = 24 << 20;
        let mut steps: Vec<Step> = (0..32).map(|i| allocate(i, 512, 0)).collect();
        steps.extend([Step::SynchronizeStream { stream: 0 }, allocate(32, size, 0)]);
        // Meanwhile a fast card fills it. What stays keeps the ranges apart.
        steps.extend((0..31).chain([32]).map(|address| Step::Free { address, stream: 0 }));
        steps.extend([allocate(33, size + 1, 0), Step::SynchronizeStream { stream: 0 }]);
        steps
    }

    #[test]
    fn it_is_told_for_cards_that_are_done_and_for_cards_that_are_not() {
        let steps = done_by_fast_cards();
        let found = reserved(&steps, 0, &[34, 67, 68]);
        assert_eq!(found.peak, Span { least: GRANULE, most: 2 * GRANULE });
        assert_eq!(found.at_marks[0], Span { least: GRANULE, most: GRANULE });
        assert_eq!(found.at_marks[1], found.peak);
        assert_eq!(reserved(&steps, 1, &[4]).peak, Span { least: 0, most: 0 }, "another card");
    }

    #[test]
    fn cards_that_have_no_room_for_it_are_not_looked_at() {
        let large = 800 * GRANULE;
        let mut steps = vec![allocate(99, large, 0), Step::SynchronizeStream { stream: 0 }];
        steps.extend(done_by_fast_cards());
        let peak = large + GRANULE;
        assert_eq!(reserved(&steps, 0, &[]).peak, Span { least: peak, most: peak });
    }

    #[test]
    fn a_pool_that_reuses_by_the_order_of_calls_reserves_the_same_on_every_card() {
        let opportunistic = Step::Setting { card: 0, attribute: 2, value: 0 };
        let size = 24 << 20;
        let steps = [
            opportunistic,
            allocate(1, size, 0),
            Step::Free { address: 1, stream: 0 },
            allocate(2, size + 1, 0),
        ];
        let found = reserved(&steps, 0, &[]);
        assert_eq!(found.peak, Span { least: 2 * GRANULE, most: 2 * GRANULE });
    }
}
