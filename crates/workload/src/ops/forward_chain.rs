//! Many tokens in one launch, on cards that have room for it: per token what gru_forward.rs and
//! ring_step.rs do, with the cell's weights kept on the multiprocessors.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::ring_step::RingToken;
use super::weights::CellWeights;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Chain;
#[cfg(feature = "cuda")]
use {
    super::chain::{Counters, Plan, Product, clear},
    super::ring_step::{RingStepArguments, RingTokenArguments},
    super::weights::Product as Weight,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{by_half_and_pointer, kernel_arguments},
    crate::memory::pointer::Ptr,
    crate::shape::Shape,
};

/// Tokens of the main cell and of the ring. Sizes are those of `GruForward` and `RingStep`, of all
/// tokens; `token` is the first of these, whose input is there.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "for cards alone"))]
pub(crate) struct ForwardChain<'a> {
    pub(crate) token: RingToken<'a>,
    pub(crate) tokens: Range<usize>,
    pub(crate) cell: CellWeights<'a>,
    pub(crate) heads: ViewMut<'a, f32>,
    pub(crate) pointers: ViewMut<'a, f64>,
    pub(crate) hidden: ViewMut<'a, f32>,
    pub(crate) bridged: View<'a, f32>,
    pub(crate) state: ViewMut<'a, f32>,
    /// Of the tokens that follow each of these, where rows are kept.
    pub(crate) kept: Option<ViewMut<'a, MaybeUninit<f32>>>,
    pub(crate) carry: ViewMut<'a, f64>,
    pub(crate) moved: ViewMut<'a, f64>,
    pub(crate) x: ViewMut<'a, f32>,
    pub(crate) gates: ViewMut<'a, f32>,
}

/// Units whose three gates are rows of one tile.
#[cfg(feature = "cuda")]
const UNITS_IN_TILE: usize = 5;

/// `FORWARD_WARPS` of forward_chain.cu.
#[cfg(feature = "cuda")]
const WARPS: usize = 8;

#[cfg(feature = "cuda")]
fn plan(card: &Card, shape: &Shape) -> Option<Plan> {
    let (width, samples) = (shape.slot_dim, shape.batch);
    let (in_tile, products, depth, warps) = (UNITS_IN_TILE, 2, width, WARPS);
    Plan::new(card, shape.compute, &Product { width, in_tile, products, depth, warps, samples })
}

impl Chain for ForwardChain<'_> {
    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<bool, WorkloadError> {
        let shape = self.token.shape;
        let Some(plan) = plan(card, shape) else { return Ok(false) };
        let (x, hidden) = (self.x.card(), self.hidden.card());
        let arguments = ForwardChainArguments {
            ring: RingStepArguments {
                ring: RingTokenArguments::new(&self.token),
                heads: self.heads.card(),
                pointers: self.pointers.card(),
                hidden,
                bridged: self.bridged.card(),
                state: self.state.card(),
                kept: self.kept.map_or(Ptr::NULL, |kept| kept.card().cast()),
                carry: self.carry.card(),
                moved: self.moved.card(),
                x,
            },
            cell: CellArguments {
                x,
                hidden,
                weight_ih: self.cell.weight_ih.card(),
                weight_hh: self.cell.weight_hh.card(),
                bias_ih: self.cell.bias_ih.card(),
                bias_hh: self.cell.bias_hh.card(),
                gates: self.gates.card(),
                batch: shape.batch as i32,
                width: shape.slot_dim as i32,
                units: plan.each as i32,
                blocks: plan.blocks as i32,
                first: self.tokens.start as i32,
                end: self.tokens.end as i32,
            },
        };
        let name = by_half_and_pointer!(shape.compute, shape.pointer, "forward_chain");
        // The counters count on from launch to launch.
        if self.tokens.start == 0 {
            clear(card, Counters::Forward)?;
            // What waits for them is launched beside.
            card.fork()?;
        }
        // SAFETY: the views are the step's, sized as the struct says.
        unsafe { card.launch_together(name, plan.grid, plan.shared_bytes, arguments) }?;
        Ok(true)
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `Cell` of forward_chain.cu.
    struct CellArguments: 80 {
        x: Ptr<f32> = 0,
        hidden: Ptr<f32> = 8,
        weight_ih: Ptr<Weight> = 16,
        weight_hh: Ptr<Weight> = 24,
        bias_ih: Ptr<Weight> = 32,
        bias_hh: Ptr<Weight> = 40,
        gates: Ptr<f32> = 48,
        batch: i32 = 56,
        width: i32 = 60,
        units: i32 = 64,
        blocks: i32 = 68,
        first: i32 = 72,
        end: i32 = 76,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `ForwardChainArguments` of forward_chain.cu.
    struct ForwardChainArguments: 272 {
        ring: RingStepArguments = 0,
        cell: CellArguments = 192,
    }
}
