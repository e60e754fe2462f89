//! How a small cell is spread over clusters of blocks for many tokens at once, each cluster with some
//! of the samples.
//!
//! The numbers are those of cluster.cuh.

use crate::build;
use crate::memory::card::Card;
use crate::memory::launch::Grid;
use crate::shape::Compute;

const BLOCKS: usize = 8;
const THREADS: usize = 512;
const MOST_SAMPLES: usize = 8;
const MOST_WIDTH: usize = 256;

/// Multiprocessors for one cluster: twice its blocks, since a cluster is not spread over groups of
/// multiprocessors, and those need not be multiples of it.
const MULTIPROCESSORS: usize = 2 * BLOCKS;

/// How a launch is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clusters {
    /// Samples of a cluster.
    pub(super) samples: usize,
    pub(super) grid: Grid,
}

impl Clusters {
    /// `None` where the card has no clusters, the mode's numbers are not half precision, or the cell
    /// is too wide: then each token is a launch of its own.
    pub(super) fn new(card: &Card, compute: Compute, width: usize, batch: usize) -> Option<Self> {
        if !build::is_for(build::CLUSTERS) || compute == Compute::Fp32 || width > MOST_WIDTH {
            return None;
        }
        // The fewer samples a cluster has, the less its blocks hand each other. Clusters beyond those
        // that run at once follow them.
        let at_once = (card.room().multiprocessors / MULTIPROCESSORS).max(1);
        let samples = batch.div_ceil(at_once).min(MOST_SAMPLES);
        let blocks = (batch.div_ceil(samples) * BLOCKS, 1);
        Some(Self { samples, grid: Grid { blocks, threads: THREADS } })
    }
}
