//! Freed ranges of a pool's addresses, found by how well they fit.

use std::collections::{BTreeMap, BTreeSet};

/// A freed range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// In bytes.
    pub length: u64,
    /// When it became a range of this length: of equal lengths the lowest is taken first.
    pub since: u64,
    /// When memory of it was freed last. What is left of a range that was cut keeps it.
    pub freed_at: u64,
}

/// Ranges that do not touch.
#[derive(Debug, Clone, Default)]
pub struct Ranges {
    by_start: BTreeMap<u64, Range>,
    /// Length, since when, start.
    by_length: BTreeSet<(u64, u64, u64)>,
}

impl Ranges {
    /// Adds a range, as one with those that it touches.
    pub fn add(&mut self, start: u64, range: Range) {
        let (mut start, mut range) = (start, range);
        let before = self.by_start.range(..start).next_back().map(|(at, r)| (*at, r.length));
        if let Some((at, length)) = before.filter(|(at, length)| at + length == start) {
            self.remove(at);
            (start, range.length) = (at, length + range.length);
        }
        if let Some(after) = self.remove(start + range.length) {
            range.length += after.length;
        }
        self.by_start.insert(start, range);
        self.by_length.insert((range.length, range.since, start));
    }

    /// Takes the range that begins at `start` away.
    pub fn remove(&mut self, start: u64) -> Option<Range> {
        let range = self.by_start.remove(&start)?;
        self.by_length.remove(&(range.length, range.since, start));
        Some(range)
    }

    /// The start of the shortest range of at least `length`, and of equal ones of the one that has been
    /// there longest.
    pub fn best(&self, length: u64) -> Option<u64> {
        self.fitting(length).map(|(.., start)| start)
    }

    /// The same with what it was chosen by: length, since when, start.
    pub fn fitting(&self, length: u64) -> Option<(u64, u64, u64)> {
        self.by_length.range((length, 0, 0)..).next().copied()
    }

    /// The same among those that are `usable`.
    pub fn best_of(&self, length: u64, usable: impl Fn(&Range) -> bool) -> Option<u64> {
        let fitting = self.by_length.range((length, 0, 0)..).map(|(.., start)| *start);
        fitting.into_iter().find(|start| self.by_start.get(start).is_some_and(&usable))
    }

    /// The range that `at` lies in, or begins at: its start.
    pub fn over(&self, at: u64) -> Option<u64> {
        let (start, range) = self.by_start.range(..=at).next_back()?;
        (at < start + range.length).then_some(*start)
    }

    /// The range that ends at `end`: its start.
    pub fn ending_at(&self, end: u64) -> Option<u64> {
        let (start, range) = self.by_start.range(..end).next_back()?;
        (start + range.length == end).then_some(*start)
    }

    /// Takes those away that `which` names, what was freed last first.
    pub fn take(&mut self, which: impl Fn(&Range) -> bool) -> Vec<(u64, Range)> {
        let mut taken: Vec<_> =
            self.by_start.iter().map(|(start, range)| (*start, *range)).collect();
        taken.retain(|(_, range)| which(range));
        taken.sort_by_key(|(start, range)| std::cmp::Reverse((range.freed_at, *start)));
        for (start, _) in &taken {
            self.remove(*start);
        }
        taken
    }
}
