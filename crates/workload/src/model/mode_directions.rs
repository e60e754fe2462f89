//! The eight directions onto which the state loop's telemetry projects hidden states.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

/// Modes that a hidden state can be in.
pub(crate) const MODES: usize = 8;

/// Of no run: every run of a width is watched along the same directions.
const SEED: u64 = 0x6d6f_6465;

/// `Q [D,8]`, row by row: independent normal draws, each column scaled to length 1.
pub(crate) fn draw(slot_dim: usize) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let drawn: Vec<f64> = StandardNormal.sample_iter(&mut rng).take(slot_dim * MODES).collect();
    let length =
        |mode: usize| drawn.iter().skip(mode).step_by(MODES).map(|v| v * v).sum::<f64>().sqrt();
    let lengths: [f64; MODES] = std::array::from_fn(length);
    drawn.iter().zip(lengths.iter().cycle()).map(|(v, length)| (v / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_length_1_and_differ() {
        for slot_dim in [1, 8, 71] {
            let q = draw(slot_dim);
            assert_eq!(q.len(), slot_dim * MODES);
            assert_eq!(q, draw(slot_dim));
            let column = |k: usize| q.iter().skip(k).step_by(MODES).copied();
            for k in 0..MODES {
                let length: f32 = column(k).map(|v| v * v).sum::<f32>().sqrt();
                assert!((length - 1.0).abs() < 1e-6, "column {k} has length {length}");
            }
            assert!(slot_dim == 1 || column(0).ne(column(1)));
        }
    }
}
