//! Pointers before token 0, from units in `[0,1)`: `p = u (R-1)`, anchor and residual of it.

use super::numeric::in_pointer;
use super::ring_axis::{Real, RingAxis};
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Pointer;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, by_pointer, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// `units` and `pointers` are `[B]`, `carry` is `[B,2]`.
pub(crate) struct PointerStart<'a> {
    pub(crate) units: View<'a, f64>,
    pub(crate) pointers: ViewMut<'a, f64>,
    pub(crate) carry: ViewMut<'a, f64>,
    pub(crate) ring_len: usize,
    pub(crate) batch: usize,
    pub(crate) pointer: Pointer,
}

impl Kernel for PointerStart<'_> {
    fn cpu(self) {
        in_pointer!(self.pointer, |P| self.run::<P>());
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = PointerStartArguments {
            units: self.units.card(),
            pointers: self.pointers.card(),
            carry: self.carry.card(),
            ring_len: self.ring_len as i32,
            batch: self.batch as i32,
        };
        let name = by_pointer!(self.pointer, "pointer_start");
        // SAFETY: one unit and one pointer a sample.
        unsafe { card.launch(name, Grid::elements(self.batch), arguments) }
    }
}

impl PointerStart<'_> {
    fn run<P: Real>(self) {
        let axis = RingAxis::<P>::new(self.ring_len, &[], &[]);
        let carries = self.carry.host().chunks_exact_mut(2);
        for ((unit, p), carry) in self.units.host().iter().zip(self.pointers.host()).zip(carries) {
            let state = axis.start(*unit);
            *p = state.p;
            carry.copy_from_slice(&[state.anchor, state.residual]);
        }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `PointerStartArguments` of pointer_start.cu.
    struct PointerStartArguments: 32 {
        units: Ptr<f64> = 0,
        pointers: Ptr<f64> = 8,
        carry: Ptr<f64> = 16,
        ring_len: i32 = 24,
        batch: i32 = 28,
    }
}
