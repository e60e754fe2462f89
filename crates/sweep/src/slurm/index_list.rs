//! Tasks of a job array as `sbatch --array` takes them: `0-3,7`.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Tasks of a job array, in ranges: an array of a million is two numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexList(Vec<RangeInclusive<u64>>);

impl IndexList {
    /// Whether the task is among them.
    pub(super) fn contains(&self, index: u64) -> bool {
        self.0.iter().any(|range| range.contains(&index))
    }
}

impl FromIterator<u64> for IndexList {
    fn from_iter<I: IntoIterator<Item = u64>>(indexes: I) -> Self {
        let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
        for index in indexes.into_iter().collect::<BTreeSet<_>>() {
            match ranges.last_mut() {
                Some(range) if range.end().checked_add(1) == Some(index) => {
                    *range = *range.start()..=index;
                }
                _ => ranges.push(index..=index),
            }
        }
        Self(ranges)
    }
}

impl fmt::Display for IndexList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let before = if at > 0 { "," } else { "" };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{before}{first}")?,
                (first, last) => write!(f, "{before}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

/// The text is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoIndexList;

impl FromStr for IndexList {
    type Err = NoIndexList;

    fn from_str(text: &str) -> Result<Self, NoIndexList> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| NoIndexList);
        let range = |part: &str| match part.split_once('-') {
            Some((first, last)) => Ok(number(first)?..=number(last)?),
            None => number(part).map(|index| index..=index),
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(indexes: &[u64]) -> IndexList {
        indexes.iter().copied().collect()
    }

    #[test]
    fn neighbours_are_a_range() {
        assert_eq!(list(&[7, 0, 2, 1, 3, 3]).to_string(), "0-3,7");
        assert_eq!(list(&[5]).to_string(), "5");
        assert_eq!(list(&[1, 3, u64::MAX]).to_string(), "1,3,18446744073709551615");
        for wrong in ["", "a", "1-", "-1", "1,,2", "1-2-3", "0-3%2"] {
            assert_eq!(wrong.parse::<IndexList>(), Err(NoIndexList), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_list_holds_what_it_was_made_of(
            indexes in proptest::collection::btree_set(0..200u64, 1..100),
        ) {
            let list: IndexList = indexes.iter().copied().collect();
            prop_assert_eq!(list.to_string().parse(), Ok(list.clone()));
            for index in 0..200 {
                prop_assert_eq!(list.contains(index), indexes.contains(&index));
            }
        }

        #[test]
        fn any_text_is_a_list_or_none(text in "[0-9,-]{0,30}") {
            if let Ok(list) = text.parse::<IndexList>() {
                list.contains(3);
            }
        }
    }
}
