//! A model of the driver's stream-ordered memory pool: which address a request gets, and so what the
//! pool reserves beyond what it was asked for.
//!
//! The rules were found by replaying recorded and random sequences of calls on an H100 and an H200
//! (driver 580.159.04) and comparing every address; `docs/pool.md` has the experiments.
//!
//! 1. A request is rounded up to [`ALIGNMENT`] inside; what counts as used is not.
//! 2. What is freed stays with the stream that it was freed on, as one range with what it touches of
//!    that stream's. The stream's next requests take what fits best of that, and of equal lengths what
//!    has been a range of that length longest.
//! 3. When the host waits for a stream, or for an event, what was freed before goes to the pool itself,
//!    and so does what the stream had waited for: what was freed last first. There it is one range with
//!    what it touches, fresh addresses among it.
//! 4. A request that finds nothing of its own stream's takes, in this order, the best fit of the pool's
//!    ranges that are backed by memory throughout; of another stream's, if it has waited for the free;
//!    of another stream's, if the card is done with the free (opportunistic reuse). Then, with
//!    opportunistic reuse, all that the card is done with goes to the pool. What fits best of the pool's
//!    ranges is taken, backed or not, and if none fits, fresh addresses are.
//! 5. Memory comes in steps of [`GRANULE`]. Where an address has none, idle granules of the pool's own
//!    ranges give theirs, the highest first, before the pool grows.
//! 6. When what was freed goes to the pool because the host waited, idle granules go back to the card,
//!    the highest first, until no more than the release threshold is reserved. A trim gives them back as
//!    long as no less is kept than it says, and moves nothing.
//!
//! Opportunistic reuse alone depends on how far the card is: [`Progress`].

mod granules;
mod ranges;
mod settings;
mod streams;
#[cfg(all(test, not(stand_in)))]
mod tests;

use std::collections::BTreeMap;

use granules::Granules;
use ranges::{Range, Ranges};
pub use settings::PoolSettings;
use streams::Streams;

/// What a request is rounded up to inside the pool, in bytes.
pub const ALIGNMENT: u64 = 512;

/// What a pool of the driver's grows and shrinks by, in bytes.
pub const GRANULE: u64 = 32 << 20;

/// How far the card is behind the host, which decides what opportunistic reuse finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is done with everything before the next call.
    KeepsUp,
    /// It is done with what was freed before this call, and with nothing since.
    DoneBefore(u64),
}

/// One pool. Addresses are offsets from its base, in bytes.
///
/// Calls are told apart by a number that grows from each to the next, `call`: the caller's, for an event
/// may concern several pools.
#[derive(Debug, Clone)]
pub struct Pool {
    /// What a request is rounded up to inside.
    alignment: u64,
    settings: PoolSettings,
    progress: Progress,
    /// Live allocations: offset to the bytes asked for.
    live: BTreeMap<u64, u64>,
    streams: Streams,
    /// The pool's own freed ranges that are backed throughout.
    whole: Ranges,
    /// Its own that are not.
    torn: Ranges,
    granules: Granules,
    /// Where fresh addresses begin.
    top: u64,
    /// Ranges that ever were.
    ranges: u64,
    used: u64,
}

/// Whose range a request is placed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Stream(u64),
    Pool,
}

/// What a pool would do for a request, before it does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Where the allocation would lie.
    pub offset: u64,
    /// By how many bytes reserved would grow.
    pub growth: u64,
    length: u64,
    requested: u64,
    source: Source,
}

impl Pool {
    /// An empty pool that grows in steps of `granule` bytes: [`GRANULE`] is the driver's pool. It keeps
    /// what it has and reuses nothing of other streams until it is [set up](Self::set_up).
    pub fn new(granule: u64) -> Self {
        Self::aligned(granule.max(ALIGNMENT), ALIGNMENT)
    }

    /// The same where every request has granules of its own.
    pub fn of_whole_granules(granule: u64) -> Self {
        let granule = granule.max(ALIGNMENT);
        Self::aligned(granule, granule)
    }

    fn aligned(granule: u64, alignment: u64) -> Self {
        Self {
            alignment,
            settings: PoolSettings::KEEPS_EVERYTHING,
            progress: Progress::KeepsUp,
            live: BTreeMap::new(),
            streams: Streams::default(),
            whole: Ranges::default(),
            torn: Ranges::default(),
            granules: Granules::new(granule),
            top: 0,
            ranges: 0,
            used: 0,
        }
    }

    /// Sets it up.
    pub fn set_up(&mut self, settings: PoolSettings) {
        self.settings = settings;
    }

    /// How it is set up.
    pub fn settings(&self) -> PoolSettings {
        self.settings
    }

    /// On a card that is as far as this says from now on.
    pub fn set_progress(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Bytes asked for and not freed.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Bytes that the pool holds of the card.
    pub fn reserved(&self) -> u64 {
        self.granules.reserved()
    }

    /// Where `bytes` on `stream` lie if they are taken next. `None` for no bytes, and for more than an
    /// address can name. The pool may have made ranges its own for that.
    pub fn place(&mut self, bytes: u64, stream: u64) -> Option<Placement> {
        let length = bytes.checked_next_multiple_of(self.alignment).filter(|length| *length > 0)?;
        let (offset, source) = self.find_place(length, stream);
        // The last granule ends at an address, too.
        offset.checked_add(length)?.checked_next_multiple_of(self.granules.size())?;
        let growth = self.granules.growth(offset..offset + length);
        Some(Placement { offset, growth, length, requested: bytes, source })
    }

    fn find_place(&mut self, length: u64, stream: u64) -> (u64, Source) {
        if let Some(own) = self.streams.own(stream, length) {
            return (own, Source::Stream(stream));
        }
        if let Some(offset) = self.whole.best(length) {
            return (offset, Source::Pool);
        }
        if let Some((other, offset)) = self.of_another_stream(length, stream) {
            return (offset, Source::Stream(other));
        }
        if let Some(until) = self.done_until() {
            self.take_over(|_, range| range.freed_at < until, false);
        }
        // Equal ones are taken by their age, whichever they are.
        let best =
            [&self.whole, &self.torn].into_iter().filter_map(|ranges| ranges.fitting(length));
        (best.min().map_or(self.top, |(_, _, offset)| offset), Source::Pool)
    }

    fn of_another_stream(&self, length: u64, stream: u64) -> Option<(u64, u64)> {
        let waited = || {
            self.streams.others(stream, length, |other, range| {
                range.freed_at < self.streams.waited(stream, other)
            })
        };
        let done = || {
            let until = self.done_until()?;
            self.streams.others(stream, length, |_, range| range.freed_at < until)
        };
        let follows = self.settings.reuse_follow_event_dependencies;
        follows.then(waited).flatten().or_else(done)
    }

    /// The first call that the card is not done with, as far as opportunistic reuse sees it.
    fn done_until(&self) -> Option<u64> {
        match self.progress {
            _ if !self.settings.reuse_allow_opportunistic => None,
            Progress::KeepsUp => Some(u64::MAX),
            Progress::DoneBefore(call) => Some(call),
        }
    }

    /// Takes what [`place`](Self::place) found, with nothing having happened since.
    pub fn take(&mut self, placement: Placement) {
        let Placement { offset, length, requested, source, .. } = placement;
        let end = offset + length;
        if let Source::Stream(stream) = source {
            // What is freed on a stream holds its granules still.
            let range = self.streams.remove(stream, offset);
            if let Some(left) = range.and_then(|range| self.left(range, length)) {
                self.streams.add(stream, end, left);
            }
        } else {
            let range = self.whole.remove(offset).or_else(|| self.torn.remove(offset));
            for granule in self.granules.hold(offset..end) {
                self.tear(granule);
            }
            match range.and_then(|range| self.left(range, length)) {
                Some(left) => self.keep(end, left),
                None => self.top = self.top.max(end),
            }
        }
        self.used += requested;
        self.live.insert(offset, requested);
    }

    /// What is left of a range when `length` of it is taken: a new one, of what was freed when it was.
    fn left(&mut self, range: Range, length: u64) -> Option<Range> {
        let left = range.length.checked_sub(length).filter(|left| *left > 0)?;
        Some(Range { length: left, since: self.next_range(), ..range })
    }

    fn next_range(&mut self) -> u64 {
        self.ranges += 1;
        self.ranges
    }

    /// A granule's memory is gone: the pool's range over it is not backed throughout any more.
    fn tear(&mut self, granule: u64) {
        let start = self.whole.over(granule * self.granules.size());
        if let Some((start, range)) = start.and_then(|at| Some((at, self.whole.remove(at)?))) {
            self.torn.add(start, range);
        }
    }

    /// Adds a range to the pool's own, as one with those that it touches.
    fn keep(&mut self, start: u64, range: Range) {
        let (mut start, mut range) = (start, range);
        for ranges in [&mut self.whole, &mut self.torn] {
            let before = ranges.ending_at(start);
            if let Some((at, before)) = before.and_then(|at| Some((at, ranges.remove(at)?))) {
                (start, range.length) = (at, before.length + range.length);
            }
            range.length += ranges.remove(start + range.length).map_or(0, |after| after.length);
        }
        let end = start + range.length;
        if end == self.top {
            self.top = start;
        } else if self.granules.are_backed(start..end) {
            self.whole.add(start, range);
        } else {
            self.torn.add(start, range);
        }
    }

    /// Frees the allocation at `offset` in the order of `stream`, and returns its bytes; `None` if none
    /// begins there.
    pub fn free(&mut self, offset: u64, stream: u64, call: u64) -> Option<u64> {
        let requested = self.live.remove(&offset)?;
        self.used -= requested;
        let length = requested.next_multiple_of(self.alignment);
        let range = Range { length, since: self.next_range(), freed_at: call };
        self.streams.add(stream, offset, range);
        Some(requested)
    }

    /// `stream` waits for an event that was recorded on `other` before the call `until`.
    pub fn wait(&mut self, stream: u64, other: u64, until: u64) {
        self.streams.wait(stream, other, until);
    }

    /// The host waited for what `stream` did before the call `until`. Returns how many bytes went back to
    /// the card.
    pub fn synchronize(&mut self, stream: u64, until: u64) -> u64 {
        let mut done = self.streams.waits_of(stream);
        done.insert(stream, until);
        self.take_over(|of, range| done.get(&of).is_some_and(|until| range.freed_at < *until), true)
    }

    /// The host waited for every stream. Returns how many bytes went back to the card.
    pub fn synchronize_all(&mut self) -> u64 {
        self.take_over(|_, _| true, true)
    }

    /// Makes ranges of streams the pool's own, and where it may release, gives back what is idle beyond
    /// the threshold. Returns how many bytes went.
    fn take_over(&mut self, which: impl Fn(u64, &Range) -> bool, may_release: bool) -> u64 {
        let before = self.reserved();
        for (start, range) in self.streams.take(which) {
            self.granules.let_go(start..start + range.length);
            let since = self.next_range();
            self.keep(start, Range { since, ..range });
            while may_release && self.reserved() > self.settings.release_threshold {
                if self.give_back().is_none() {
                    break;
                }
            }
        }
        before - self.reserved()
    }

    fn give_back(&mut self) -> Option<()> {
        let granule = self.granules.give_back()?;
        self.tear(granule);
        Some(())
    }

    /// Gives idle granules back as long as no less than `keep` bytes stay reserved. Returns how many
    /// bytes went.
    pub fn trim(&mut self, keep: u64) -> u64 {
        let before = self.reserved();
        while self.reserved().saturating_sub(self.granules.size()) >= keep {
            if self.give_back().is_none() {
                break;
            }
        }
        before - self.reserved()
    }

    /// The allocation that `offset` lies in: where it begins, and its bytes.
    pub fn find(&self, offset: u64) -> Option<(u64, u64)> {
        let (&start, &bytes) = self.live.range(..=offset).next_back()?;
        (offset < start + bytes).then_some((start, bytes))
    }

    /// What is live: offset and bytes, by offset.
    pub fn live(&self) -> impl ExactSizeIterator<Item = (u64, u64)> + '_ {
        self.live.iter().map(|(offset, bytes)| (*offset, *bytes))
    }
}
