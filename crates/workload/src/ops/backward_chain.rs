//! Backward of forward_chain.rs: many tokens in one launch, from the last to the first; per token what
//! ring_step_backward.rs and gru_backward.rs do.

use super::ring_step_backward::RingStepBackward;
use super::weights::CellWeights;
use crate::memory::context::Chain;
#[cfg(feature = "cuda")]
use {
    super::chain::{Counters, Plan, Product, clear, wait_beside},
    super::ring_step_backward::RingStepBackwardArguments,
    super::weights::Product as Weight,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{by_half_and_pointer, kernel_arguments},
    crate::memory::pointer::Ptr,
    crate::shape::Shape,
};

/// All tokens of the main cell and of the ring. `ring` is of the last token, but that `read` is all
/// that forward kept, from the first token on.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "for cards alone"))]
pub(crate) struct BackwardChain<'a> {
    pub(crate) ring: RingStepBackward<'a>,
    pub(crate) cell: CellWeights<'a>,
}

/// What is run beside from here on finds the chain, which was run before, done with the ring of so many
/// samples, token by token.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "for cards alone"))]
pub(crate) struct AfterSamples {
    pub(crate) samples: usize,
}

impl Chain for AfterSamples {
    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<bool, WorkloadError> {
        wait_beside(card, Counters::Backward, self.samples)?;
        Ok(true)
    }
}

/// Columns of a tile, each a row of both weight matrices' transposes.
#[cfg(feature = "cuda")]
const COLUMNS_IN_TILE: usize = 8;

/// `BACKWARD_WARPS` of backward_chain.cu.
#[cfg(feature = "cuda")]
const WARPS: usize = 16;

#[cfg(feature = "cuda")]
fn plan(card: &Card, shape: &Shape) -> Option<Plan> {
    let (width, samples) = (shape.slot_dim, shape.batch);
    let (in_tile, products, depth, warps) = (COLUMNS_IN_TILE, 1, 4 * width, WARPS);
    Plan::new(card, shape.compute, &Product { width, in_tile, products, depth, warps, samples })
}

impl Chain for BackwardChain<'_> {
    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<bool, WorkloadError> {
        let shape = self.ring.token.shape;
        let Some(plan) = plan(card, shape) else { return Ok(false) };
        let ring = RingStepBackwardArguments::new(self.ring);
        let cell = CellBackwardArguments {
            gates: ring.gates,
            weight_ih: self.cell.weight_ih.card(),
            weight_hh: self.cell.weight_hh.card(),
            dx: ring.d_x,
            dh: [ring.d_hidden, ring.d_before],
            batch: shape.batch as i32,
            width: shape.slot_dim as i32,
            columns: plan.each as i32,
            blocks: plan.blocks as i32,
        };
        let arguments = BackwardChainArguments { ring, cell };
        let name = by_half_and_pointer!(shape.compute, shape.pointer, "backward_chain");
        clear(card, Counters::Backward)?;
        // What waits for them is launched beside.
        card.fork()?;
        // SAFETY: the views are the step's, sized as the struct says.
        unsafe { card.launch_together(name, plan.grid, plan.shared_bytes, arguments) }?;
        Ok(true)
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `CellBackward` of backward_chain.cu.
    struct CellBackwardArguments: 64 {
        gates: Ptr<f32> = 0,
        weight_ih: Ptr<Weight> = 8,
        weight_hh: Ptr<Weight> = 16,
        dx: Ptr<f32> = 24,
        dh: [Ptr<f32>; 2] = 32,
        batch: i32 = 48,
        width: i32 = 52,
        columns: i32 = 56,
        blocks: i32 = 60,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `BackwardChainArguments` of backward_chain.cu.
    struct BackwardChainArguments: 304 {
        ring: RingStepBackwardArguments = 0,
        cell: CellBackwardArguments = 240,
    }
}
