//! What was freed on each stream, and which streams wait for which.

use std::collections::BTreeMap;

use super::ranges::{Range, Ranges};

/// One stream that allocated from a pool or freed to it.
#[derive(Debug, Clone, Default)]
struct OfStream {
    stream: u64,
    freed: Ranges,
}

/// The streams of one pool, in the order in which they first asked it for something.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    streams: Vec<OfStream>,
    /// Before which call a stream has waited for what another did.
    waited: BTreeMap<u64, BTreeMap<u64, u64>>,
}

impl Streams {
    fn of(&mut self, stream: u64) -> &mut Ranges {
        let known = self.streams.iter().position(|of| of.stream == stream);
        let index = known.unwrap_or_else(|| {
            self.streams.push(OfStream { stream, freed: Ranges::default() });
            self.streams.len() - 1
        });
        &mut self.streams[index].freed
    }

    /// Something was freed on `stream`.
    pub fn add(&mut self, stream: u64, start: u64, range: Range) {
        self.of(stream).add(start, range);
    }

    /// Takes the range of `stream` that begins at `start` away.
    pub fn remove(&mut self, stream: u64, start: u64) -> Option<Range> {
        self.of(stream).remove(start)
    }

    /// The best fit of what was freed on `stream` itself.
    pub fn own(&mut self, stream: u64, length: u64) -> Option<u64> {
        self.of(stream).best(length)
    }

    /// The best fit of the first other stream that has one that is `usable`: it, and where.
    pub fn others(
        &self,
        stream: u64,
        length: u64,
        usable: impl Fn(u64, &Range) -> bool,
    ) -> Option<(u64, u64)> {
        let mut others = self.streams.iter().filter(|of| of.stream != stream);
        others.find_map(|of| {
            let start = of.freed.best_of(length, |range| usable(of.stream, range))?;
            Some((of.stream, start))
        })
    }

    /// The call before which `stream` has waited for what `other` did; 0 for never.
    pub fn waited(&self, stream: u64, other: u64) -> u64 {
        self.waited.get(&stream).and_then(|of| of.get(&other)).copied().unwrap_or(0)
    }

    /// Before which calls `stream` has waited for what others did.
    pub fn waits_of(&self, stream: u64) -> BTreeMap<u64, u64> {
        self.waited.get(&stream).cloned().unwrap_or_default()
    }

    /// `stream` waits for what `other` did before call `until`, and for all that `other` had waited for.
    pub fn wait(&mut self, stream: u64, other: u64, until: u64) {
        let mut for_others = self.waits_of(other);
        for_others.insert(other, until);
        let waited = self.waited.entry(stream).or_default();
        for (other, until) in for_others {
            let so_far = waited.entry(other).or_default();
            *so_far = until.max(*so_far);
        }
    }

    /// Takes the ranges away that `which` names: stream by stream, what was freed last first.
    pub fn take(&mut self, which: impl Fn(u64, &Range) -> bool) -> Vec<(u64, Range)> {
        let of_each = self.streams.iter_mut();
        of_each.flat_map(|of| of.freed.take(|range| which(of.stream, range))).collect()
    }
}
