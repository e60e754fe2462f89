//! What the readout takes: each sample's last slot after the last write, and its hidden state.
//!
//! ```text
//! features = M_T[a, :] + h       a = clamp(floor(p_T), 0, R-1)
//! ```

use super::numeric::{Numeric, in_compute, in_pointer};
use super::ring_axis::{Real, RingAxis};
use super::ring_rows;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Shape;
#[cfg(feature = "cuda")]
use {
    super::ring_step::row_grid,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{by_pointer, kernel_arguments, mode},
    crate::memory::pointer::Ptr,
};

/// `state [B,R,D]` is the ring state that the last token read, `hidden [B,D]` follows it, `pointers` are
/// `[T+1,B]`; `features [B,D]`, `slots [B]`.
pub(crate) struct ReadoutFeatures<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) state: View<'a, f32>,
    pub(crate) hidden: View<'a, f32>,
    pub(crate) pointers: View<'a, f64>,
    pub(crate) features: ViewMut<'a, f32>,
    pub(crate) slots: ViewMut<'a, u32>,
}

impl Kernel for ReadoutFeatures<'_> {
    fn cpu(self) {
        in_pointer!(self.shape.pointer, |P| {
            in_compute!(self.shape.compute, |N| self.run::<N, P>())
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let shape = self.shape;
        let arguments = ReadoutFeaturesArguments {
            state: self.state.card(),
            hidden: self.hidden.card(),
            pointers: self.pointers.card(),
            features: self.features.card(),
            slots: self.slots.card(),
            tokens: shape.synth_len as i32,
            batch: shape.batch as i32,
            ring_len: shape.ring_len as i32,
            slot_dim: shape.slot_dim as i32,
            mode: mode(shape.compute),
            padding: 0,
        };
        let name = by_pointer!(shape.pointer, "readout_features");
        // SAFETY: the views hold what the struct says.
        unsafe { card.launch(name, row_grid(shape), arguments) }
    }
}

impl ReadoutFeatures<'_> {
    fn run<N: Numeric, P: Real>(self) {
        let (b, r, d) = (self.shape.batch, self.shape.ring_len, self.shape.slot_dim);
        let axis = RingAxis::<P>::new(r, &[], &[]);
        let (state, hidden) = (self.state.host(), self.hidden.host());
        let (before, after) = self.pointers.host()[(self.shape.synth_len - 1) * b..].split_at(b);
        let rows = self.features.host().chunks_exact_mut(d).zip(self.slots.host());
        for (i, (features, last)) in rows.enumerate() {
            let (slot, h) = (axis.slot(after[i]), &hidden[i * d..(i + 1) * d]);
            *last = slot as u32;
            features.copy_from_slice(ring_rows::row(state, i * r + slot, d));
            let taps = axis.taps(before[i]);
            let hits = taps.slots.iter().zip(taps.weights).filter(|(s, _)| **s == slot);
            hits.for_each(|(_, weight)| ring_rows::axpy(weight, h, features));
            ring_rows::axpy(1.0, h, features);
            N::round_all(features);
        }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `ReadoutFeaturesArguments` of readout_features.cu.
    struct ReadoutFeaturesArguments: 64 {
        state: Ptr<f32> = 0,
        hidden: Ptr<f32> = 8,
        pointers: Ptr<f64> = 16,
        features: Ptr<f32> = 24,
        slots: Ptr<u32> = 32,
        tokens: i32 = 40,
        batch: i32 = 44,
        ring_len: i32 = 48,
        slot_dim: i32 = 52,
        mode: i32 = 56,
        padding: i32 = 60,
    }
}
