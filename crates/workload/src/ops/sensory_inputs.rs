//! The elementwise parts of the sensory path forward; its cell and its layers are gru_forward.rs
//! and matmul.rs.

use super::numeric::{Numeric, in_compute};
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::{Compute, Shape};
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments, mode},
    crate::memory::pointer::Ptr,
};

/// The inputs `[B,T,1]` as the token loop reads them: `[T,B]`, in the mode's numbers.
pub(crate) struct TokenMajor<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) inputs: View<'a, f32>,
    pub(crate) by_token: ViewMut<'a, f32>,
}

impl Kernel for TokenMajor<'_> {
    fn cpu(self) {
        let (batch, tokens) = (self.shape.batch, self.shape.synth_len);
        let (inputs, by_token) = (self.inputs.host(), self.by_token.host());
        in_compute!(self.shape.compute, |N| {
            for (t, row) in by_token.chunks_exact_mut(batch).enumerate() {
                for (b, x) in row.iter_mut().enumerate() {
                    *x = N::round(inputs[b * tokens + t]);
                }
            }
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = TokenMajorArguments {
            inputs: self.inputs.card(),
            by_token: self.by_token.card(),
            batch: self.shape.batch as i32,
            tokens: self.shape.synth_len as i32,
            mode: mode(self.shape.compute),
            padding: 0,
        };
        // SAFETY: both hold one element a token and sample.
        unsafe { card.launch("token_major", Grid::elements(self.shape.tokens()), arguments) }
    }
}

/// `x = round(x + delayed)`: a sensory state that comes back after its delay, `[B,S]` each.
pub(crate) struct AddDelayed<'a> {
    pub(crate) delayed: View<'a, f32>,
    pub(crate) x: ViewMut<'a, f32>,
    pub(crate) len: usize,
    pub(crate) compute: Compute,
}

impl Kernel for AddDelayed<'_> {
    fn cpu(self) {
        in_compute!(self.compute, |N| {
            let pairs = self.x.host().iter_mut().zip(self.delayed.host());
            pairs.for_each(|(x, delayed)| *x = N::round(*x + delayed));
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = AddDelayedArguments {
            delayed: self.delayed.card(),
            x: self.x.card(),
            len: self.len as i32,
            mode: mode(self.compute),
        };
        // SAFETY: both hold `len` elements.
        unsafe { card.launch("add_delayed", Grid::elements(self.len), arguments) }
    }
}

/// Rounds operands of products to the mode's numbers, in place.
pub(crate) struct RoundAll<'a> {
    pub(crate) values: ViewMut<'a, f32>,
    pub(crate) len: usize,
    pub(crate) compute: Compute,
}

impl Kernel for RoundAll<'_> {
    fn cpu(self) {
        self.compute.round_all(self.values.host());
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = RoundAllArguments {
            values: self.values.card(),
            len: self.len as i64,
            mode: mode(self.compute),
            padding: 0,
        };
        // SAFETY: `values` holds `len` elements.
        unsafe { card.launch("round_all", Grid::elements(self.len), arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `TokenMajorArguments` of sensory_inputs.cu.
    struct TokenMajorArguments: 32 {
        inputs: Ptr<f32> = 0,
        by_token: Ptr<f32> = 8,
        batch: i32 = 16,
        tokens: i32 = 20,
        mode: i32 = 24,
        padding: i32 = 28,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `AddDelayedArguments` of sensory_inputs.cu.
    struct AddDelayedArguments: 24 {
        delayed: Ptr<f32> = 0,
        x: Ptr<f32> = 8,
        len: i32 = 16,
        mode: i32 = 20,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `RoundAllArguments` of sensory_inputs.cu.
    struct RoundAllArguments: 24 {
        values: Ptr<f32> = 0,
        len: i64 = 8,
        mode: i32 = 16,
        padding: i32 = 20,
    }
}
