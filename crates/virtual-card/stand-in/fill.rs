//! What memory that a kernel would have written reads as.

use super::mixed::mixed;

/// The values of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    Zeros,
    /// Odd seeds are numbers between 1/16 and 1 in fp32, fp16 and bf16 alike. Multiples of four are
    /// infinite or no numbers: a step that is skipped where a gradient overflows takes another course.
    /// Other even ones are whole numbers below a bound that grows with the seed, as indices are.
    Seed(u64),
}

impl Fill {
    /// Of the variable's value; zeros for none.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or(Self::Zeros, Self::Seed)
    }

    /// Fills `bytes`, which lie `offset` bytes into what is read; `nonce` tells one reading from another.
    pub fn fill(self, bytes: &mut [u8], offset: u64, nonce: u64) {
        let Self::Seed(seed) = self else {
            bytes.fill(0);
            return;
        };
        let stream = mixed(mixed(seed) ^ nonce);
        let mut word = (u64::MAX, [0; 8]);
        for (at, byte) in (offset..).zip(bytes) {
            if word.0 != at / 8 {
                word = (at / 8, pattern(seed, mixed(stream ^ (at / 8))).to_le_bytes());
            }
            *byte = word.1[(at % 8) as usize];
        }
    }
}

/// Eight bytes of the seed's kind.
fn pattern(seed: u64, random: u64) -> u64 {
    if seed.is_multiple_of(4) {
        // Of either sign, as fp32; as bf16 and fp16, every other one is a zero where that is infinite.
        let halves: u64 = if seed.is_multiple_of(8) { 0x7fc0_7fc0 } else { 0x7f80_0000 };
        let signs = random & 0x8000_0000_8000_0000;
        return (halves | halves << 32) | signs;
    }
    if seed.is_multiple_of(2) {
        // One 64-bit number, or one of 32 bits and a zero.
        return random % (1 << (seed / 2 * 3).clamp(1, 30));
    }
    // Four halves with the exponents of bf16 numbers in [1/16, 1), which as fp16 are near 1.5.
    let half = |bits: u64| (123 + (bits >> 7) % 4) << 7 | bits & 0x7f;
    (0..4).fold(0, |word, i| word | half(random >> (16 * i) & 0x1ff) << (16 * i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_wherever_a_reading_begins() {
        let mut whole = [0; 64];
        Fill::Seed(3).fill(&mut whole, 0, 7);
        let mut part = [0; 20];
        Fill::Seed(3).fill(&mut part, 13, 7);
        assert_eq!(part, whole[13..33]);
        let mut other = [0; 64];
        Fill::Seed(3).fill(&mut other, 0, 8);
        assert_ne!(other, whole);
    }

    #[test]
    fn each_kind_of_seed_is_what_it_says() {
        let mut bytes = [0; 4096];
        Fill::Seed(5).fill(&mut bytes, 0, 0);
        for word in bytes.chunks_exact(4) {
            let value = f32::from_le_bytes(word.try_into().unwrap());
            assert!((0.06..1.0).contains(&value), "{value}");
        }
        Fill::Seed(2).fill(&mut bytes, 0, 0);
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
        assert!(words.iter().all(|w| *w < 8) && words.iter().any(|w| *w > 0));
        for (seed, is_so) in [(4, f32::is_infinite as fn(f32) -> bool), (8, f32::is_nan)] {
            Fill::Seed(seed).fill(&mut bytes, 0, 0);
            let words = bytes.chunks_exact(4).map(|w| f32::from_le_bytes(w.try_into().unwrap()));
            assert!(words.into_iter().all(is_so), "{seed}");
        }
    }

    #[test]
    fn what_is_no_seed_is_zeros() {
        assert_eq!(Fill::parse("zeros"), Fill::Zeros);
        assert_eq!(Fill::parse("4"), Fill::Seed(4));
    }
}
