//! Copies and zeros. On a card they are the driver's, not kernels of ours.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
#[cfg(feature = "cuda")]
use {crate::error::WorkloadError, crate::memory::card::Card};

/// On the CPU what is as large as a ring state is cut into pieces of this many elements (1 MiB) for
/// the threads to share.
pub(super) const PIECE: usize = 1 << 18;

/// The first ring state: zero.
pub(crate) struct ClearState<'a> {
    pub(crate) state: ViewMut<'a, MaybeUninit<f32>>,
    pub(crate) len: usize,
}

impl Kernel for ClearState<'_> {
    fn cpu(self) {
        self.state.host().par_chunks_mut(PIECE).for_each(|piece| {
            piece.fill(MaybeUninit::new(0.0));
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        // SAFETY: a state of a tape.
        unsafe { card.clear(self.state.card(), self.len) }
    }
}

/// `to = from`, `len` elements.
pub(crate) struct CopyAll<'a> {
    pub(crate) from: View<'a, f32>,
    pub(crate) to: ViewMut<'a, f32>,
    pub(crate) len: usize,
}

impl Kernel for CopyAll<'_> {
    fn cpu(self) {
        let pieces = self.to.host().par_chunks_mut(PIECE).zip(self.from.host().par_chunks(PIECE));
        pieces.for_each(|(to, from)| to.copy_from_slice(from));
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        // SAFETY: two buffers of `len` elements.
        unsafe { card.copy(self.from.card(), self.to.card(), self.len) }
    }
}
