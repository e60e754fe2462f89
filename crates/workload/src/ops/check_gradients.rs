//! Undoes the loss scale, and finds what is not finite.

use rayon::prelude::*;

use super::copy::PIECE;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// `grads [P]` are divided by the scale; `found[0]` is 1 if one of them was NaN, `found[1]` if one
/// was infinite. `scale` begins with the loss scale.
pub(crate) struct CheckGradients<'a> {
    pub(crate) grads: ViewMut<'a, f32>,
    pub(crate) found: ViewMut<'a, u32>,
    pub(crate) scale: View<'a, f32>,
    pub(crate) len: usize,
}

impl Kernel for CheckGradients<'_> {
    fn cpu(self) {
        let grads = self.grads.host();
        let unscale = self.scale.host()[0].recip();
        let pieces = grads.par_chunks_mut(PIECE).map(|piece| {
            let mut found = [0, 0];
            for g in piece {
                found[0] |= u32::from(g.is_nan());
                found[1] |= u32::from(g.is_infinite());
                *g *= unscale;
            }
            found
        });
        let found = pieces.reduce(|| [0, 0], |a, b| [a[0] | b[0], a[1] | b[1]]);
        self.found.host().copy_from_slice(&found);
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = CheckGradientsArguments {
            grads: self.grads.card(),
            found: self.found.card(),
            scale: self.scale.card(),
            len: self.len as i64,
        };
        let grid = Grid { blocks: (self.len.div_ceil(256).min(1024), 1), threads: 256 };
        // SAFETY: `grads` holds `len` elements, `found` two, which hold zero.
        unsafe { card.launch("check_gradients", grid, arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `CheckGradientsArguments` of check_gradients.cu.
    struct CheckGradientsArguments: 32 {
        grads: Ptr<f32> = 0,
        found: Ptr<u32> = 8,
        scale: Ptr<f32> = 16,
        len: i64 = 24,
    }
}
