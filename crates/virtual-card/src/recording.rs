//! What a run left behind: the counters and events of its processes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::pool::PoolSettings;
use crate::requests::Requests;

/// The most that was held of one card, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CardPeaks {
    /// Asked for of pools: what candle calls allocated.
    pub used: u64,
    /// Held by pools, as the model of the driver's pool has it.
    pub reserved: u64,
    /// Held outside pools: `cuMemAlloc` in its granules, managed and mapped memory.
    pub outside: u64,
    /// Asked for of pools and outside of them, together.
    pub asked: u64,
    /// The peak of the sum of reserved, outside, contexts and libraries.
    pub held: u64,
}

impl CardPeaks {
    /// The most of any of these cards; 0 for none.
    pub fn most(cards: &[Self], of: fn(&Self) -> u64) -> u64 {
        cards.iter().map(of).max().unwrap_or(0)
    }
}

/// Of one process, or of all at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Allocations asked for.
    pub requests: u64,
    /// Marks, set or taken at synchronisations.
    pub marks: u64,
    /// Computed bytes that the host read.
    pub computed_bytes_read: u64,
    /// Times of events that the host read.
    pub times_read: u64,
    /// Questions for the free memory.
    pub free_memory_read: u64,
    /// Attributes asked for that are not recorded for the card.
    pub unrecorded_attributes: u64,
    /// Calls of functions that are not modelled.
    pub unmodelled_calls: u64,
    /// Allocations that the host sees without a call.
    pub shared_allocations: u64,
    /// Allocations that did not fit.
    pub failed_allocations: u64,
    /// Threads that allocated.
    pub threads: u64,
    /// Streams that were allocated on, of the card of which they are most.
    pub streams: u64,
}

/// What a mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// Set by the program.
    Mark,
    /// The host waited for the card.
    Sync,
    /// The end of the process.
    End,
}

/// What a card held at a mark, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MarkLevels {
    /// Asked for of pools, then.
    pub used: u64,
    /// The most until then.
    pub used_peak: u64,
    /// Held by pools, then.
    pub reserved: u64,
    /// The most until then.
    pub reserved_peak: u64,
    /// Held outside pools, then.
    pub outside: u64,
    /// The most until then.
    pub outside_peak: u64,
}

/// What a real card's own counters said at a mark, in bytes, and what was counted beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The card's number.
    pub card: u32,
    /// Used of its current pool, as the pool says.
    pub used: u64,
    /// The most since the program reset that.
    pub used_high: u64,
    /// Held by the pool.
    pub reserved: u64,
    /// The most since the program reset that.
    pub reserved_high: u64,
    /// Used of the same pool, as calls went by.
    pub went_by: u64,
    /// The most of that since the program reset the pool's.
    pub went_by_high: u64,
    /// What went by of the card's other pools, whose counters were not asked.
    pub elsewhere: u64,
    /// Free of the card, whoever has the rest; not asked at synchronisations.
    pub free: Option<u64>,
    /// Of the card in all, as above.
    pub total: Option<u64>,
}

impl Counted {
    /// By how many bytes what went by is not what the pool says, now or at most; 0 where they agree.
    pub fn difference(&self) -> u64 {
        let now = self.used.abs_diff(self.went_by);
        now.max(self.used_high.abs_diff(self.went_by_high))
    }
}

/// What was held at a point of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Who set it.
    pub kind: MarkKind,
    /// Its name; empty where nobody gave one.
    pub name: String,
    /// Steps that were taken until then: an index of [`Requests::steps`], where those were written down.
    #[serde(skip)]
    pub steps: u64,
    /// Allocations asked for until then.
    pub requests: u64,
    /// Their bytes.
    pub requested_bytes: u64,
    /// A sum over the sizes of all requests, the same in whichever order they came.
    #[serde(skip)]
    pub requests_hash: u64,
    /// Computed bytes that the host had read.
    pub computed_bytes_read: u64,
    /// By number.
    pub cards: Vec<MarkLevels>,
    /// What the pools of real cards said; empty on a virtual card.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Counted>,
}

impl Mark {
    /// By how many bytes what went by is not what the pool of a card says, of whichever card that is the
    /// most. `None` where no card said anything.
    pub fn difference(&self) -> Option<u64> {
        self.counted.iter().map(Counted::difference).max()
    }
}

/// An allocation that the card had no room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// `an allocation` or `a context`.
    pub what: String,
    /// The card's number.
    pub card: usize,
    /// Bytes that were asked for.
    pub bytes: u64,
    /// Bytes of the card that were held, by whomever.
    pub held: u64,
}

/// A card that a program ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RealCard {
    /// Its number in the process that used it.
    pub card: u32,
    /// Its name.
    pub name: String,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
}

/// One process that used CUDA.
#[derive(Debug, Clone, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program's file.
    pub program: PathBuf,
    /// Whether it came to its end by itself.
    pub ended: bool,
    /// What it held of each card, at most.
    pub cards: Vec<CardPeaks>,
    /// Page-locked bytes of the host, at most.
    pub pinned_bytes: u64,
    /// What happened in all.
    pub tally: Tally,
    /// What had happened when it reached a peak of what it asked for, of a pool or outside, last.
    pub at_peak: Tally,
    /// Allocations that were alive at the end.
    pub leaked: u64,
    /// Their bytes.
    pub leaked_bytes: u64,
    /// Marks in their order.
    pub marks: Vec<Mark>,
    /// The last settings that the program made of a pool, if it made any.
    pub settings: Option<PoolSettings>,
    /// What it did with pools besides.
    pub pools: Vec<String>,
    /// Functions that it called and that are not modelled.
    pub unmodelled: Vec<String>,
    /// Attributes of the card or of kernels that are not recorded.
    pub attributes: Vec<String>,
    /// Kinds of memory that the host sees without a call.
    pub shared: Vec<String>,
    /// Kernels that it looked up by name.
    pub kernels: Vec<String>,
    /// Allocations that did not fit.
    pub failed: Vec<Failed>,
    /// Numbers of cards that it met as fallen off the bus.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost_cards: Vec<usize>,
    /// Calls that the driver refuses, such as a second free.
    pub wrong: Vec<String>,
    /// NVIDIA's own libraries that it loaded all the same.
    pub libraries: Vec<String>,
    /// Whether it asked for the driver's tables that no header names.
    pub private_tables: bool,
    /// The real cards that it used; empty on a virtual one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub real_cards: Vec<RealCard>,
    /// The version of the real driver as `cuDriverGetVersion` says it, 13000 for 13.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_version: Option<u32>,
    /// Functions that it called of the real driver that allocate what is not counted, or free it so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uncounted: Vec<String>,
    /// Whether there was no real driver to pass calls on to.
    #[serde(skip)]
    pub lacks_driver: bool,
    /// All that it asked for, one by one, where that was wanted.
    #[serde(skip)]
    pub requests: Option<Requests>,
}

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Recording {
    /// The most that all processes together held, of each card.
    pub cards: Vec<CardPeaks>,
    /// Those that used CUDA, the one that asked for the most first.
    pub processes: Vec<Process>,
    /// Whether a copy of a process called CUDA after it.
    pub used_after_fork: bool,
}

impl Recording {
    /// Numbers of the cards that any process met as fallen off the bus, each once.
    pub fn lost_cards(&self) -> Vec<usize> {
        let lost = self.processes.iter().flat_map(|process| process.lost_cards.iter().copied());
        lost.collect::<BTreeSet<usize>>().into_iter().collect()
    }
}
