//! What a process on the virtual card is told and what it writes down: the stand-in and the dry run are
//! compiled apart, and this file is in both.
//!
//! A run has a directory of its own. In it lie the card ([`CARD_FILE`]), what all processes hold
//! together ([`TOTALS_FILE`]), and for each process that uses CUDA its counters, mapped while it runs so
//! that they outlive a kill, and its events, a line of tab-separated fields each.

use std::sync::atomic::AtomicU64;

/// Names the directory of the run to the stand-in.
pub const DIRECTORY_VARIABLE: &str = "VRAM_VIRTUAL_CARD";

/// Names to the stand-in what computed memory reads as: `zeros` or the number of a seed.
pub const FILL_VARIABLE: &str = "VRAM_VIRTUAL_CARD_FILL";

/// The card's facts: `key<TAB>value` a line.
pub const CARD_FILE: &str = "card.tsv";

/// [`Totals`], of all processes.
pub const TOTALS_FILE: &str = "totals";

/// A process's [`Counters`] end in this, its events in [`EVENTS`].
pub const COUNTERS: &str = "counters";

/// See [`COUNTERS`].
pub const EVENTS: &str = "events";

/// Cards that a run can have.
pub const MAX_CARDS: usize = 16;

/// A number of bytes, and the most that it was.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Level {
    /// Now.
    pub now: AtomicU64,
    /// At most.
    pub peak: AtomicU64,
}

/// What is held of one card.
#[repr(C)]
#[derive(Debug, Default)]
pub struct CardLevels {
    /// Asked for of pools.
    pub used: Level,
    /// Held by pools.
    pub reserved: Level,
    /// Held outside pools: `cuMemAlloc` in its granules, managed and mapped memory.
    pub outside: Level,
    /// Asked for of pools and outside of them: what the program itself decides.
    pub asked: Level,
    /// All of it with contexts and libraries.
    pub held: Level,
}

/// What all processes of a run hold of each card, together.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Totals {
    /// By number.
    pub cards: [CardLevels; MAX_CARDS],
}

/// How often something happened so far that bears on how far a peak can be trusted.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Tally {
    /// Allocations asked for.
    pub requests: AtomicU64,
    /// Marks, set or taken at synchronisations.
    pub marks: AtomicU64,
    /// Bytes that a kernel would have written and the host read.
    pub computed_bytes_read: AtomicU64,
    /// Times of events that the host read.
    pub times_read: AtomicU64,
    /// Questions for the free memory.
    pub free_memory_read: AtomicU64,
    /// Attributes of the card asked for that are not recorded.
    pub unrecorded_attributes: AtomicU64,
    /// Calls of functions that are not modelled.
    pub unmodelled_calls: AtomicU64,
    /// Allocations that the host sees without a call: managed and mapped memory.
    pub shared_allocations: AtomicU64,
    /// Allocations that did not fit.
    pub failed_allocations: AtomicU64,
    /// Threads that allocated.
    pub threads: AtomicU64,
    /// Streams that were allocated on.
    pub streams: AtomicU64,
}

/// What one process did.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Counters {
    /// 1 once the process came to its end by itself.
    pub ended: AtomicU64,
    /// What it holds of each card.
    pub cards: [CardLevels; MAX_CARDS],
    /// Page-locked memory of the host, in bytes.
    pub pinned: Level,
    /// So far.
    pub so_far: Tally,
    /// As it was when a peak of what was asked for, used or outside pools, of whichever card, was
    /// reached last.
    pub at_peak: Tally,
    /// Allocations that are alive, and their bytes: what is left of them at the end is a leak.
    pub live: AtomicU64,
    /// See [`live`](Self::live).
    pub live_bytes: AtomicU64,
}
