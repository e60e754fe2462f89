//! What of the card's memory is known: what the host wrote, as long as nothing may have written over it.

use std::collections::BTreeMap;

/// No more than this many bytes are kept. What is beyond reads as if it had been computed.
const KEPT_BYTES: usize = 64 << 20;

/// Nor more of one copy: what decides a program's course is small, what fills the card is not.
const KEPT_AT_ONCE: usize = 4 << 20;

#[derive(Debug, Clone)]
enum Value {
    Bytes(Box<[u8]>),
    /// This many bytes of a pattern that begins anew every four bytes of the address.
    Repeat([u8; 4], u64),
}

impl Value {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Repeat(_, bytes) => *bytes,
        }
    }

    /// The part of a value at `start` that lies in `from..to`.
    fn part(&self, start: u64, from: u64, to: u64) -> Self {
        match self {
            Self::Bytes(bytes) => {
                Self::Bytes(bytes[(from - start) as usize..(to - start) as usize].into())
            }
            Self::Repeat(pattern, _) => Self::Repeat(*pattern, to - from),
        }
    }

    fn kept(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Repeat(..) => 0,
        }
    }
}

/// Known memory, by address.
#[derive(Debug, Default)]
pub struct Contents {
    known: BTreeMap<u64, Value>,
    kept: usize,
}

impl Contents {
    /// The host wrote `bytes` at `address`.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        self.forget(address, bytes.len() as u64);
        let Some(&first) = bytes.first() else { return };
        if bytes.iter().all(|byte| *byte == first) {
            self.insert(address, Value::Repeat([first; 4], bytes.len() as u64));
        } else if let Some((pattern, _)) = bytes.split_first_chunk::<4>()
            && bytes.len() > 4
            && bytes.chunks(4).all(|word| pattern.starts_with(word))
        {
            self.set(address, *pattern, bytes.len() as u64);
        } else if bytes.len() <= KEPT_AT_ONCE && self.kept + bytes.len() <= KEPT_BYTES {
            self.insert(address, Value::Bytes(bytes.into()));
        }
    }

    /// `bytes` bytes at `address` were set to a pattern of four bytes; a pattern of less is repeated in
    /// it.
    pub fn set(&mut self, address: u64, pattern: [u8; 4], bytes: u64) {
        self.forget(address, bytes);
        if bytes > 0 {
            let mut pattern = pattern;
            pattern.rotate_right((address % 4) as usize);
            self.insert(address, Value::Repeat(pattern, bytes));
        }
    }

    /// Memory was copied on the card. The two do not overlap.
    pub fn copy(&mut self, to: u64, from: u64, bytes: u64) {
        let end = from.saturating_add(bytes);
        let copied: Vec<(u64, Value)> = self
            .overlapping(from, end)
            .map(|(start, value)| {
                let (first, last) = (start.max(from), (start + value.len()).min(end));
                (first, value.part(start, first, last))
            })
            .collect();
        self.forget(to, bytes);
        for (start, value) in copied {
            let at = to + (start - from);
            match value {
                Value::Bytes(bytes) => self.write(at, &bytes),
                Value::Repeat(mut pattern, bytes) => {
                    // Of the address that it now has.
                    pattern.rotate_left(((start.wrapping_sub(at)) % 4) as usize);
                    self.forget(at, bytes);
                    self.insert(at, Value::Repeat(pattern, bytes));
                }
            }
        }
    }

    /// `bytes` bytes at `address` may have been written by the card, or are there no more.
    pub fn forget(&mut self, address: u64, bytes: u64) {
        let end = address.saturating_add(bytes);
        let gone: Vec<u64> = self.overlapping(address, end).map(|(start, _)| start).collect();
        for start in gone {
            let Some(value) = self.known.remove(&start) else { continue };
            self.kept -= value.kept();
            let stop = start + value.len();
            if start < address {
                self.insert(start, value.part(start, start, address));
            }
            if stop > end {
                self.insert(end, value.part(start, end, stop));
            }
        }
    }

    /// Anything may have been written.
    pub fn forget_all(&mut self) {
        self.known.clear();
        self.kept = 0;
    }

    /// Reads into `to` what is known at `address`, and calls `unknown` with each part that is not and
    /// its distance from `address`. Returns how many bytes are not known.
    pub fn read(
        &self,
        address: u64,
        to: &mut [u8],
        mut unknown: impl FnMut(&mut [u8], u64),
    ) -> u64 {
        let end = address.saturating_add(to.len() as u64);
        let (mut at, mut missing) = (address, 0);
        let place = |address_of: u64| (address_of - address) as usize;
        for (start, value) in self.overlapping(address, end) {
            let (first, last) = (start.max(address), (start + value.len()).min(end));
            if at < first {
                unknown(&mut to[place(at)..place(first)], at - address);
                missing += first - at;
            }
            let known = &mut to[place(first)..place(last)];
            match value {
                Value::Bytes(bytes) => {
                    known
                        .copy_from_slice(&bytes[(first - start) as usize..(last - start) as usize]);
                }
                Value::Repeat(pattern, _) => {
                    for (address, byte) in (first..).zip(known) {
                        *byte = pattern[(address % 4) as usize];
                    }
                }
            }
            at = last;
        }
        if at < end {
            unknown(&mut to[place(at)..], at - address);
            missing += end - at;
        }
        missing
    }

    fn insert(&mut self, address: u64, value: Value) {
        self.kept += value.kept();
        self.known.insert(address, value);
    }

    fn overlapping(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, &Value)> {
        let before = self.known.range(..from).next_back();
        let before = before.filter(|(start, value)| from < to && *start + value.len() > from);
        before.into_iter().chain(self.known.range(from..to.max(from))).map(|(s, v)| (*s, v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `bytes` bytes at `address`; what is not known reads as 255.
    fn read(contents: &Contents, address: u64, bytes: usize) -> (Vec<u8>, u64) {
        let mut to = vec![0; bytes];
        let missing = contents.read(address, &mut to, |part, _| part.fill(255));
        (to, missing)
    }

    #[test]
    fn what_the_host_wrote_is_read_back_until_it_may_have_been_written_over() {
        let mut contents = Contents::default();
        contents.write(100, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(read(&contents, 98, 10), (vec![255, 255, 1, 2, 3, 4, 5, 6, 255, 255], 4));
        contents.forget(102, 2);
        assert_eq!(read(&contents, 100, 6), (vec![1, 2, 255, 255, 5, 6], 2));
        contents.forget_all();
        assert_eq!(read(&contents, 100, 6).1, 6);
    }

    #[test]
    fn set_memory_is_known_at_every_address() {
        let mut contents = Contents::default();
        contents.set(101, [1, 2, 3, 4], 9);
        assert_eq!(read(&contents, 101, 9), (vec![1, 2, 3, 4, 1, 2, 3, 4, 1], 0));
        assert_eq!(read(&contents, 103, 3), (vec![3, 4, 1], 0));
        contents.copy(202, 103, 6);
        assert_eq!(read(&contents, 202, 6), (vec![3, 4, 1, 2, 3, 4], 0));
    }

    #[test]
    fn a_copy_on_the_card_takes_what_is_known_along() {
        let mut contents = Contents::default();
        contents.write(10, &[1, 2, 3, 4]);
        contents.write(50, &[9; 8]);
        contents.copy(50, 8, 6);
        assert_eq!(read(&contents, 50, 8), (vec![255, 255, 1, 2, 3, 4, 9, 9], 2));
    }

    #[test]
    fn what_is_too_much_is_not_kept() {
        let mut contents = Contents::default();
        let mut large = vec![0; KEPT_AT_ONCE + 1];
        contents.write(0, &large);
        assert_eq!(read(&contents, 0, 4).1, 0, "zeros cost nothing");
        contents.write(2, &[[1, 2, 3, 4]; KEPT_AT_ONCE / 2].concat());
        assert_eq!(read(&contents, 2, 6), (vec![1, 2, 3, 4, 1, 2], 0), "nor does a pattern");
        assert_eq!(contents.kept, 0);
        large[7] = 1;
        contents.write(0, &large);
        assert_eq!(read(&contents, 0, 4).1, 4);
        let half = vec![[1, 2]; KEPT_AT_ONCE / 2].concat();
        for i in 0..20 {
            contents.write(i << 32, &half);
        }
        assert!(contents.kept <= KEPT_BYTES);
        contents.forget(0, u64::MAX);
        assert_eq!(contents.kept, 0);
    }

    proptest::proptest! {
        /// Against memory that is simply there.
        #[test]
        fn any_sequence_reads_as_plain_memory_does(
            steps in proptest::collection::vec((0u8..4, 0u64..64, 0u64..64, 0u64..20, 1u8..200), 1..60)
        ) {
            let mut contents = Contents::default();
            let mut plain = [255u8; 256];
            for (what, a, b, bytes, value) in steps {
                let (at, n) = (a as usize, bytes as usize);
                match what {
                    0 => {
                        let data: Vec<u8> = (0..bytes as u8).map(|i| value / 2 + i % 3).collect();
                        contents.write(a, &data);
                        plain[at..at + n].copy_from_slice(&data);
                    }
                    1 => {
                        contents.set(a, [value, 1, 2, 3], bytes);
                        for i in 0..n {
                            plain[at + i] = [value, 1, 2, 3][i % 4];
                        }
                    }
                    2 => {
                        contents.forget(a, bytes);
                        plain[at..at + n].fill(255);
                    }
                    _ => {
                        contents.copy(128 + b, a, bytes);
                        plain.copy_within(at..at + n, 128 + b as usize);
                    }
                }
                assert_eq!(read(&contents, 0, 256).0, plain);
            }
        }
    }
}
