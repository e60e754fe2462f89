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

/// Asks for every request for memory, one by one: [`CALLS`] or [`CALLS_AND_STACKS`].
pub const REQUESTS_VARIABLE: &str = "VRAM_VIRTUAL_CARD_REQUESTS";

/// A value of [`REQUESTS_VARIABLE`]: what is asked for.
pub const CALLS: &str = "calls";

/// A value of [`REQUESTS_VARIABLE`]: who asks as well.
pub const CALLS_AND_STACKS: &str = "stacks";

/// Names the real driver's file to the library that passes calls on to it.
pub const DRIVER_VARIABLE: &str = "VRAM_TRACE_DRIVER";

/// The card's facts: `key<TAB>value` a line.
pub const CARD_FILE: &str = "card.tsv";

/// [`Totals`], of all processes.
pub const TOTALS_FILE: &str = "totals";

/// A link to the file that names the cards that have fallen off the bus, where the run has one: see
/// [`lost_cards`].
pub const LOST_FILE: &str = "lost";

/// A process's [`Counters`] end in this, its events in [`EVENTS`].
pub const COUNTERS: &str = "counters";

/// See [`COUNTERS`].
pub const EVENTS: &str = "events";

/// A process's [`Request`]s end in this, in the order of the calls; the rest of the file is zeros.
pub const REQUESTS: &str = "requests";

/// Its stacks, each as often as once: how deep it is, then as many return addresses, all of 8 bytes.
pub const STACKS: &str = "stacks";

/// The files that its code was loaded from: where the code begins, where it ends, how far it was moved
/// (all hexadecimal), and the path, separated by tabs and ended by a zero byte.
pub const MODULES: &str = "modules";

/// Addresses of a stack, at most: what called those is left out.
pub const MOST_FRAMES: usize = 256;

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
    /// Requests for memory of each card, where cards may fall off the bus.
    pub requests: [AtomicU64; MAX_CARDS],
    /// 1 for each card that has fallen off the bus.
    pub lost: [AtomicU64; MAX_CARDS],
}

/// A card that falls off the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Falls {
    /// Its number.
    pub card: usize,
    /// The request for memory of it, counted from one over all processes, that it does not live to see;
    /// 0 for none.
    pub at_request: u64,
}

/// The cards that a file names as fallen off the bus: `2` for one that is gone, `2@1000` for one that goes
/// at its 1000th request for memory, between spaces, commas or lines. An error is a word that is neither.
pub fn lost_cards(text: &str) -> impl Iterator<Item = Result<Falls, &str>> {
    let words = text.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty());
    words.map(|word| {
        let (card, request) = word.split_once('@').unwrap_or((word, "0"));
        let numbers = card.parse().ok().zip(request.parse().ok());
        numbers.map(|(card, at_request)| Falls { card, at_request }).ok_or(word)
    })
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
    /// Streams that were allocated on, of the card of which they are most.
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

/// What a [`Request`] is. No number is zero, which is where a file ends.
pub mod kind {
    /// An allocation in a pool: card, address, bytes, stream, stack.
    pub const IN_POOL: u32 = 1;
    /// One of the card's beside its pools; as above.
    pub const OUTSIDE: u32 = 2;
    /// One of the host's; as above.
    pub const ON_HOST: u32 = 3;
    /// A free: address, stream.
    pub const FREE: u32 = 4;
    /// The host waited for a stream.
    pub const STREAM: u32 = 5;
    /// The host waited for a card.
    pub const CONTEXT: u32 = 6;
    /// The host waited for an event: the stream that it was recorded on; steps until then as bytes.
    pub const EVENT: u32 = 7;
    /// A stream waits for an event: the other stream as address; steps until then as bytes.
    pub const WAIT: u32 = 8;
    /// A pool was trimmed: card, bytes.
    pub const TRIM: u32 = 9;
    /// A pool was set up: card, the attribute as address, its value as bytes.
    pub const SETTING: u32 = 10;
}

/// One call that bears on memory, as it stands in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request {
    /// See [`kind`].
    pub kind: u32,
    /// The card's number.
    pub card: u16,
    /// The number of its stack plus one; 0 for none.
    pub stack: u32,
    /// Its address.
    pub address: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its stream.
    pub stream: u64,
}

impl Request {
    /// Words of 8 bytes that it takes.
    pub const WORDS: usize = 4;

    /// `stream` waits for an event that was recorded on `other` after so many steps.
    pub fn wait(stream: u64, other: u64, steps: u64) -> Self {
        Self { kind: kind::WAIT, address: other, bytes: steps, stream, ..Self::default() }
    }

    /// The host waits for an event that was recorded on `stream` after so many steps.
    pub fn event(stream: u64, steps: u64) -> Self {
        Self { kind: kind::EVENT, bytes: steps, stream, ..Self::default() }
    }

    /// As it stands in a file.
    pub fn to_words(self) -> [u64; Self::WORDS] {
        let first =
            u64::from(self.kind & 0xff) | u64::from(self.card) << 8 | u64::from(self.stack) << 32;
        [first, self.address, self.bytes, self.stream]
    }

    /// What stands in a file.
    pub fn of_words([first, address, bytes, stream]: [u64; Self::WORDS]) -> Self {
        Self {
            kind: first as u32 & 0xff,
            card: (first >> 8) as u16,
            stack: (first >> 32) as u32,
            address,
            bytes,
            stream,
        }
    }
}
