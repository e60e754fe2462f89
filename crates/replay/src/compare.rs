//! What came of a sequence, held against what should have.

use std::fmt::{self, Display, Formatter};

use vram_virtual_card::sequence::Seen;

/// How many of how many are equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Equal ones.
    pub equal: u64,
    /// All.
    pub of: u64,
}

impl Share {
    fn count(&mut self, is_equal: bool) {
        self.equal += u64::from(is_equal);
        self.of += 1;
    }
}

impl Display for Share {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.equal, self.of)
    }
}

/// Two plays of one sequence, call by call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Allocations that lie at the same address, from the sequence's first.
    pub addresses: Share,
    /// Calls after which the same is reserved.
    pub reserved: Share,
    /// The most that was reserved after any call that is compared, in bytes.
    pub peak_reserved: u64,
    /// The same of what it is held against.
    pub expected_peak_reserved: u64,
    /// The first call that differs in anything: its index, from zero.
    pub first_difference: Option<usize>,
}

impl Comparison {
    /// Of what was `seen` with what was `expected` of each call, where that is known.
    pub fn new(seen: &[Seen], expected: &[Option<Seen>]) -> Self {
        let mut found = Self::default();
        for (index, (seen, expected)) in seen.iter().zip(expected).enumerate() {
            let Some(expected) = expected else { continue };
            if seen.offset.is_some() || expected.offset.is_some() {
                found.addresses.count(seen.offset == expected.offset);
            }
            found.reserved.count(seen.reserved == expected.reserved);
            found.peak_reserved = found.peak_reserved.max(seen.reserved);
            found.expected_peak_reserved = found.expected_peak_reserved.max(expected.reserved);
            if seen != expected {
                found.first_difference.get_or_insert(index);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(offset: Option<i64>, reserved: u64) -> Seen {
        Seen { offset, used: 1, reserved }
    }

    #[test]
    fn what_differs_is_counted_and_the_first_is_named() {
        let came = [seen(Some(0), 32), seen(None, 32), seen(Some(512), 64), seen(None, 96)];
        let expected =
            [Some(seen(Some(0), 32)), None, Some(seen(Some(1024), 64)), Some(seen(None, 32))];
        let found = Comparison::new(&came, &expected);
        assert_eq!(found.addresses, Share { equal: 1, of: 2 });
        assert_eq!(found.reserved.to_string(), "2 of 3");
        assert_eq!((found.peak_reserved, found.expected_peak_reserved), (96, 64));
        assert_eq!(found.first_difference, Some(2));
    }

    #[test]
    fn used_bytes_that_differ_are_a_difference() {
        let other = Seen { used: 2, ..seen(None, 32) };
        let found = Comparison::new(&[seen(None, 32)], &[Some(other)]);
        assert_eq!((found.reserved.equal, found.first_difference), (1, Some(0)));
    }

    #[test]
    fn a_play_that_ended_early_is_compared_as_far_as_it_went() {
        let found = Comparison::new(&[], &[Some(seen(Some(0), 32))]);
        assert_eq!(found, Comparison::default());
    }
}
