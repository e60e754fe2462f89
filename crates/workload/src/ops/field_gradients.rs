//! Gradients of the two fields that attract the pointers and of the context's gain, from all tokens
//! at once; the equations are in ring_axis.rs.

use super::numeric::{in_pointer, sigmoid};
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

/// Slots of a block of field_gradients.cu.
#[cfg(feature = "cuda")]
const SLOTS: usize = 16;

/// Added to `d_theta_ptr`, `d_theta_gate` `[R]`, from the pointers before each move `[T,B]`, the
/// gradients of the raw heads `[T,B,4]` and of the rounded targets `[T,B]`.
pub(crate) struct FieldGradients<'a> {
    pub(crate) theta_ptr: View<'a, f32>,
    pub(crate) theta_gate: View<'a, f32>,
    pub(crate) pointers: View<'a, f64>,
    pub(crate) d_heads: View<'a, f32>,
    pub(crate) d_target: View<'a, f32>,
    pub(crate) d_theta_ptr: ViewMut<'a, f32>,
    pub(crate) d_theta_gate: ViewMut<'a, f32>,
    pub(crate) moves: usize,
    pub(crate) ring_len: usize,
    pub(crate) pointer: Pointer,
}

impl Kernel for FieldGradients<'_> {
    fn cpu(self) {
        in_pointer!(self.pointer, |P| self.run::<P>());
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = FieldGradientsArguments {
            theta_ptr: self.theta_ptr.card(),
            pointers: self.pointers.card(),
            d_heads: self.d_heads.card(),
            d_target: self.d_target.card(),
            d_theta_ptr: self.d_theta_ptr.card(),
            d_theta_gate: self.d_theta_gate.card(),
            moves: self.moves as i32,
            ring_len: self.ring_len as i32,
        };
        let name = by_pointer!(self.pointer, "field_gradients");
        // A warp a slot.
        let grid = Grid { blocks: (self.ring_len.div_ceil(SLOTS), 1), threads: 32 * SLOTS };
        // SAFETY: one entry a move, one a slot.
        unsafe { card.launch(name, grid, arguments) }
    }
}

impl FieldGradients<'_> {
    fn run<P: Real>(self) {
        let (theta_ptr, theta_gate) = (self.theta_ptr.host(), self.theta_gate.host());
        let axis = RingAxis::<P>::new(self.ring_len, theta_ptr, theta_gate);
        let (d_ptr, d_gate) = (self.d_theta_ptr.host(), self.d_theta_gate.host());
        let d_heads = self.d_heads.host().chunks_exact(4);
        let moves = self.pointers.host().iter().zip(self.d_target.host()).zip(d_heads);
        for ((&p, &d_target), d_heads) in moves.take(self.moves) {
            let fields = axis.field_gradient(p, d_target, d_heads[0]);
            for (k, slot) in fields.slots.into_iter().enumerate() {
                d_ptr[slot] += fields.theta_ptr[k];
                d_gate[slot] += fields.theta_gate[k];
            }
        }
    }
}

/// `sum_b d_gain[b]`, through the sigmoid, added to the gradient of the context's logit.
pub(crate) struct ContextGradient<'a> {
    pub(crate) context_logit: View<'a, f32>,
    pub(crate) d_gain: View<'a, f32>,
    pub(crate) d_context_logit: ViewMut<'a, f32>,
    pub(crate) batch: usize,
}

impl Kernel for ContextGradient<'_> {
    fn cpu(self) {
        let gain = sigmoid(self.context_logit.host()[0]);
        let sum: f32 = self.d_gain.host().iter().sum();
        self.d_context_logit.host()[0] += sum * gain * (1.0 - gain);
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let arguments = ContextGradientArguments {
            context_logit: self.context_logit.card(),
            d_gain: self.d_gain.card(),
            d_context_logit: self.d_context_logit.card(),
            batch: self.batch as i32,
            padding: 0,
        };
        // SAFETY: one entry a sample, one number each.
        unsafe { card.launch("context_gradient", Grid { blocks: (1, 1), threads: 1 }, arguments) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `FieldGradientsArguments` of field_gradients.cu.
    struct FieldGradientsArguments: 56 {
        theta_ptr: Ptr<f32> = 0,
        pointers: Ptr<f64> = 8,
        d_heads: Ptr<f32> = 16,
        d_target: Ptr<f32> = 24,
        d_theta_ptr: Ptr<f32> = 32,
        d_theta_gate: Ptr<f32> = 40,
        moves: i32 = 48,
        ring_len: i32 = 52,
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `ContextGradientArguments` of field_gradients.cu.
    struct ContextGradientArguments: 32 {
        context_logit: Ptr<f32> = 0,
        d_gain: Ptr<f32> = 8,
        d_context_logit: Ptr<f32> = 16,
        batch: i32 = 24,
        padding: i32 = 28,
    }
}
