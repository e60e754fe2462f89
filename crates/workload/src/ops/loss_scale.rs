//! Moves the loss scale after a step: halved where a gradient was not finite, doubled after as many
//! good steps in a row as the interval has (Micikevicius et al. 2018).

use candle_core::{CpuStorage, InplaceOp1, Layout, Var};

#[cfg(feature = "cuda")]
use crate::memory::buffer::TensorRead;
use crate::memory::buffer::View;
use crate::memory::context::Kernel;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Good steps in a row after which the scale doubles.
const GROWTH_INTERVAL: u32 = 2000;

/// `state` is the scale and the number of good steps in a row; `found` says whether a gradient was
/// NaN or infinite.
pub(crate) struct UpdateLossScale<'a> {
    pub(crate) found: View<'a, u32>,
    pub(crate) state: &'a Var,
}

impl Kernel for UpdateLossScale<'_> {
    fn cpu(self) {
        let finite = self.found.host().iter().all(|found| *found == 0);
        // A variable of two numbers in fp32, as its constructor makes it.
        let _ = self.state.inplace_op1(&MoveOnHost { finite });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let state = TensorRead::new("loss scale", self.state)?;
        let arguments = UpdateLossScaleArguments {
            found: self.found.card(),
            state: state.view::<f32>()?.card(),
            interval: GROWTH_INTERVAL as i32,
            padding: 0,
        };
        // SAFETY: two elements each.
        unsafe { card.launch("update_loss_scale", Grid { blocks: (1, 1), threads: 1 }, arguments) }
    }
}

/// The move on the CPU, in place.
struct MoveOnHost {
    finite: bool,
}

impl InplaceOp1 for MoveOnHost {
    fn name(&self) -> &'static str {
        "loss scale"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(state) = storage else {
            candle_core::bail!("the loss scale is in fp32");
        };
        let moved = next([state[0], state[1]], self.finite);
        state[..2].copy_from_slice(&moved);
        Ok(())
    }
}

/// The state after a step whose gradients were finite or not.
fn next([scale, good]: [f32; 2], finite: bool) -> [f32; 2] {
    if !finite {
        return [scale / 2.0, 0.0];
    }
    if good + 1.0 == GROWTH_INTERVAL as f32 { [scale * 2.0, 0.0] } else { [scale, good + 1.0] }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `UpdateLossScaleArguments` of loss_scale.cu.
    struct UpdateLossScaleArguments: 24 {
        found: Ptr<u32> = 0,
        state: Ptr<f32> = 8,
        interval: i32 = 16,
        padding: i32 = 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_halves_on_overflow_and_doubles_after_2000_good_steps() {
        let mut state = next([65536.0, 7.0], false);
        assert_eq!(state, [32768.0, 0.0]);
        for good in 1..2000 {
            state = next(state, true);
            assert_eq!(state, [32768.0, good as f32]);
        }
        assert_eq!(next(state, true), [65536.0, 0.0]);
    }
}
