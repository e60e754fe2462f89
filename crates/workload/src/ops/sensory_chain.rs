//! Many tokens of the sensory cell in one launch, on cards with clusters: per token what
//! gru_forward.rs does.

use std::ops::Range;

use super::weights::CellWeights;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Chain;
use crate::shape::Shape;
#[cfg(feature = "cuda")]
use {
    super::cluster::Clusters,
    super::weights::Product as Weight,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{by_compute, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Tokens of the sensory cell, whose inputs are all there. Sizes are those of `GruForward`, of all
/// tokens.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "for cards alone"))]
pub(crate) struct SensoryChain<'a> {
    pub(crate) tokens: Range<usize>,
    pub(crate) shape: &'a Shape,
    pub(crate) cell: CellWeights<'a>,
    pub(crate) x: View<'a, f32>,
    pub(crate) hidden: ViewMut<'a, f32>,
    pub(crate) gates: ViewMut<'a, f32>,
}

impl Chain for SensoryChain<'_> {
    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<bool, WorkloadError> {
        let (shape, cell) = (self.shape, self.cell);
        let clusters = Clusters::new(card, shape.compute, cell.width, shape.batch);
        let Some(Clusters { samples, grid }) = clusters else { return Ok(false) };
        let arguments = SensoryChainArguments {
            x: self.x.card(),
            hidden: self.hidden.card(),
            weight_ih: cell.weight_ih.card(),
            weight_hh: cell.weight_hh.card(),
            bias_ih: cell.bias_ih.card(),
            bias_hh: cell.bias_hh.card(),
            gates: self.gates.card(),
            batch: shape.batch as i32,
            width: cell.width as i32,
            samples: samples as i32,
            first: self.tokens.start as i32,
            count: self.tokens.len() as i32,
            padding: 0,
        };
        // SAFETY: the sensory path's buffers of this step.
        unsafe { card.launch(by_compute!(shape.compute, "sensory_chain"), grid, arguments) }?;
        Ok(true)
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `SensoryChainArguments` of sensory_chain.cu.
    struct SensoryChainArguments: 80 {
        x: Ptr<f32> = 0,
        hidden: Ptr<f32> = 8,
        weight_ih: Ptr<Weight> = 16,
        weight_hh: Ptr<Weight> = 24,
        bias_ih: Ptr<Weight> = 32,
        bias_hh: Ptr<Weight> = 40,
        gates: Ptr<f32> = 48,
        batch: i32 = 56,
        width: i32 = 60,
        samples: i32 = 64,
        first: i32 = 68,
        count: i32 = 72,
        padding: i32 = 76,
    }
}
