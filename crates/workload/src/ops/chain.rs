//! How a cell is spread over a card for many tokens at once: each block keeps a part of its weights.
//! Samples take blocks of their own for the ring, as far as there are any.
//!
//! The numbers are those of cell_product.cuh, forward_chain.cu and backward_chain.cu.

use crate::build;
use crate::error::WorkloadError;
use crate::memory::card::Card;
use crate::memory::launch::{Grid, kernel_arguments};
use crate::shape::Compute;

const TILE_ROWS: usize = 16;
const TILE_DEPTH: usize = 16;
const MOST_TILES: usize = 2;
const SUM_STRIDE: usize = 33;

/// The module's pairs of counters, one for each chain of a step (`Chain` of grid_barrier.cuh).
#[derive(Debug, Clone, Copy)]
pub(super) enum Counters {
    Forward,
    Backward,
}

/// How a launch is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Units or columns of a block.
    pub(super) each: usize,
    /// Blocks that compute the cell.
    pub(super) blocks: usize,
    pub(super) grid: Grid,
    pub(super) shared_bytes: usize,
}

/// A cell's product: `rows` of the weights for each unit or column, of which a tile holds `in_tile`;
/// `products` of `depth` values each, whose sums are kept apart.
pub(super) struct Product {
    pub(super) width: usize,
    pub(super) in_tile: usize,
    pub(super) products: usize,
    pub(super) depth: usize,
    /// Warps of a block, which share the depth.
    pub(super) warps: usize,
    /// Samples that step the ring in blocks of the same launch.
    pub(super) samples: usize,
}

impl Plan {
    /// `None` where the card has no room for all blocks at once, or no tensor cores for the mode's
    /// numbers: then each token is a launch of its own.
    pub(super) fn new(card: &Card, compute: Compute, product: &Product) -> Option<Self> {
        let &Product { width, in_tile, products, depth, warps, samples } = product;
        let room = card.room();
        let is_half = compute != Compute::Fp32;
        if !(is_half
            && build::is_for(build::TENSOR_CORES)
            && room.is_cooperative
            && samples <= room.multiprocessors)
        {
            return None;
        }
        let each = in_tile.max(width.div_ceil(room.multiprocessors));
        let tiles = each.div_ceil(in_tile);
        let rows = tiles * TILE_ROWS;
        let weights = products * depth.div_ceil(TILE_DEPTH) * tiles * 32 * 16;
        // Behind the sums: the states of as many units and samples.
        let sums = (warps + products + 1) * rows * SUM_STRIDE * size_of::<f32>();
        let shared_bytes = weights + sums;
        if tiles > MOST_TILES || shared_bytes > room.shared_bytes {
            return None;
        }
        let blocks = width.div_ceil(each);
        let all = (blocks + samples).min(room.multiprocessors).max(blocks);
        let grid = Grid { blocks: (all, 1), threads: warps * 32 };
        Some(Self { each, blocks, grid, shared_bytes })
    }
}

const ONE_THREAD: Grid = Grid { blocks: (1, 1), threads: 1 };

/// Clears the counters of a chain that is launched next.
pub(super) fn clear(card: &Card, counters: Counters) -> Result<(), WorkloadError> {
    // SAFETY: it takes the number of a pair of counters.
    unsafe { card.launch("clear_counters", ONE_THREAD, counters as i32) }
}

/// What is launched beside from here on runs when a chain, which was launched before, has stepped the
/// ring of so many samples, token by token.
pub(super) fn wait_beside(
    card: &Card,
    counters: Counters,
    samples: usize,
) -> Result<(), WorkloadError> {
    let arguments = WaitForSamplesArguments { chain: counters as i32, samples: samples as u32 };
    // SAFETY: it takes the number of a pair of counters, and a number.
    unsafe { card.beside().launch("wait_for_samples", ONE_THREAD, arguments) }
}

kernel_arguments! {
    /// `WaitForSamplesArguments` of grid_barrier.cuh.
    struct WaitForSamplesArguments: 8 {
        chain: i32 = 0,
        samples: u32 = 4,
    }
}
