//! Backward of sensory_chain.rs: many tokens in one launch, from the last to the first; per token what
//! sensory_step_backward.rs and gru_backward.rs do.

use std::ops::Range;

use super::sensory_step_backward::SensoryStepBackward;
use super::weights::CellWeights;
use crate::memory::context::Chain;
#[cfg(feature = "cuda")]
use {
    super::cluster::Clusters,
    super::sensory_step_backward::SensoryStepBackwardArguments,
    super::weights::Product as Weight,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{by_compute, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Tokens of the sensory cell. `step` is of the last of them.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "for cards alone"))]
pub(crate) struct SensoryBackwardChain<'a> {
    pub(crate) step: SensoryStepBackward<'a>,
    pub(crate) tokens: Range<usize>,
    pub(crate) cell: CellWeights<'a>,
}

impl Chain for SensoryBackwardChain<'_> {
    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<bool, WorkloadError> {
        let (shape, cell) = (self.step.shape, self.cell);
        let clusters = Clusters::new(card, shape.compute, cell.width, shape.batch);
        let Some(Clusters { samples, grid }) = clusters else { return Ok(false) };
        let arguments = SensoryBackwardChainArguments {
            step: SensoryStepBackwardArguments::new(self.step),
            weight_ih: cell.weight_ih.card(),
            weight_hh: cell.weight_hh.card(),
            samples: samples as i32,
            first: self.tokens.start as i32,
            end: self.tokens.end as i32,
            padding: 0,
        };
        let name = by_compute!(shape.compute, "sensory_backward_chain");
        // SAFETY: the sensory path's buffers of this step.
        unsafe { card.launch(name, grid, arguments) }?;
        Ok(true)
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `SensoryBackwardChainArguments` of sensory_backward_chain.cu.
    struct SensoryBackwardChainArguments: 112 {
        step: SensoryStepBackwardArguments = 0,
        weight_ih: Ptr<Weight> = 80,
        weight_hh: Ptr<Weight> = 88,
        samples: i32 = 96,
        first: i32 = 100,
        end: i32 = 104,
        padding: i32 = 108,
    }
}
