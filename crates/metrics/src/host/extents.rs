//! Idle stretches of memory, for the next large block.

use std::collections::BTreeMap;

/// Idle stretches of mapped memory, by address. Neighbours are always joined.
#[derive(Debug, Default)]
pub(super) struct Extents {
    idle: BTreeMap<usize, usize>,
}

impl Extents {
    pub(super) const fn new() -> Self {
        Self { idle: BTreeMap::new() }
    }

    /// `len` bytes from the smallest stretch that has them, the lowest of equals.
    pub(super) fn take(&mut self, len: usize) -> Option<usize> {
        let fitting = self.idle.iter().filter(|(_, l)| **l >= len);
        let (&start, &found) = fitting.min_by_key(|(start, l)| (**l, **start))?;
        self.idle.remove(&start);
        if found > len {
            self.idle.insert(start + len, found - len);
        }
        Some(start)
    }

    /// Puts a stretch back, joined with the stretches that touch it.
    pub(super) fn give(&mut self, mut start: usize, mut len: usize) {
        if let Some((&before, &l)) = self.idle.range(..start).next_back()
            && before + l == start
        {
            self.idle.remove(&before);
            (start, len) = (before, l + len);
        }
        if let Some(after) = self.idle.remove(&(start + len)) {
            len += after;
        }
        self.idle.insert(start, len);
    }

    /// Removes and returns every stretch.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (usize, usize)> + use<> {
        std::mem::take(&mut self.idle).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_fit_is_split_and_joined_again() {
        let mut extents = Extents::new();
        extents.give(100, 50);
        extents.give(200, 20);
        // 20 fits 10 tighter than 50 does.
        assert_eq!(extents.take(10), Some(200));
        assert_eq!(extents.take(30), Some(100));
        assert_eq!(extents.take(30), None);
        extents.give(200, 10);
        extents.give(100, 30);
        assert_eq!(extents.drain().collect::<Vec<_>>(), [(100, 50), (200, 20)]);
    }

    proptest! {
        /// Whatever is taken and given back: stretches never overlap, never touch, and no byte is
        /// lost or invented.
        #[test]
        fn no_byte_is_lost(ops in prop::collection::vec((1usize..40, any::<bool>(), 0usize..64), 1..200)) {
            let mut extents = Extents::new();
            extents.give(1000, 500);
            extents.give(3000, 700);
            let mut held: Vec<(usize, usize)> = Vec::new();
            for (len, take, which) in ops {
                if take {
                    held.extend(extents.take(len).map(|start| (start, len)));
                } else if !held.is_empty() {
                    let (start, len) = held.swap_remove(which % held.len());
                    extents.give(start, len);
                }
                let mut all: Vec<_> = held.clone();
                let idle: Vec<_> = extents.idle.iter().map(|(s, l)| (*s, *l)).collect();
                prop_assert!(idle.windows(2).all(|w| w[0].0 + w[0].1 < w[1].0));
                all.extend(idle);
                all.sort_unstable();
                prop_assert!(all.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0));
                prop_assert_eq!(all.iter().map(|(_, l)| l).sum::<usize>(), 1200);
            }
            for (start, len) in held {
                extents.give(start, len);
            }
            prop_assert_eq!(extents.drain().collect::<Vec<_>>(), vec![(1000, 500), (3000, 700)]);
        }
    }
}
