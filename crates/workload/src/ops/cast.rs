//! The weights in the mode's numbers, cast once a step.

use crate::memory::buffer::{TensorRead, View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Compute;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Where the rounded weights go: the CPU keeps half numbers in fp32.
pub(crate) enum CastTo<'a> {
    Host(ViewMut<'a, f32>),
    /// The flat half numbers, and the table of the weights' places.
    Card(ViewMut<'a, u16>, View<'a, u64>),
}

/// Casts every weight into its place of the flat order.
pub(crate) struct CastWeights<'a> {
    /// In the order of the parameters.
    pub(crate) weights: &'a [TensorRead<'a>],
    pub(crate) to: CastTo<'a>,
    pub(crate) elements: usize,
    pub(crate) compute: Compute,
}

impl Kernel for CastWeights<'_> {
    fn cpu(self) {
        let CastTo::Host(to) = self.to else { return };
        let to = to.host();
        let mut at = 0;
        for weight in self.weights.iter().filter_map(|w| w.view::<f32>().ok()) {
            let weight = weight.host();
            to[at..at + weight.len()].copy_from_slice(weight);
            at += weight.len();
        }
        self.compute.round_all(to);
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let CastTo::Card(to, table) = self.to else { return Ok(()) };
        let arguments = CastArguments {
            places: table.card(),
            to: to.card(),
            len: self.elements as i64,
            tensors: self.weights.len() as i32,
            bf16: i32::from(self.compute == Compute::Bf16),
        };
        // SAFETY: the table holds the places of as many weights, `to` an element of each.
        unsafe { card.launch("cast_weights", Grid::elements(self.elements), arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `CastArguments` of cast.cu.
    struct CastArguments: 32 {
        places: Ptr<u64> = 0,
        to: Ptr<u16> = 8,
        len: i64 = 16,
        tensors: i32 = 24,
        bf16: i32 = 28,
    }
}
