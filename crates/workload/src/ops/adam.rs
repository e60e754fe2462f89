//! Adam (Kingma and Ba 2015, algorithm 1), no weight decay:
//!
//! ```text
//! m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
//! w = w - lr / (1 - b1^n) * m / (sqrt(v) / sqrt(1 - b2^n) + eps)
//! ```
//!
//! `n` is the number of a parameter's own updates, this one included. A parameter without a gradient
//! is left as it is, and all are if some gradient is not finite.

use candle_core::{CpuStorage, InplaceOp1, Layout, Var};
use rayon::prelude::*;

use super::copy::PIECE;
use crate::memory::buffer::{TensorRead, View, ViewMut};
use crate::memory::context::Kernel;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments},
    crate::memory::pointer::Ptr,
};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPS: f32 = 1e-8;

/// One pass over all parameters. `first` and `second` moments are flat, in their order.
pub(crate) struct AdamUpdate<'a> {
    pub(crate) vars: &'a [Var],
    /// Of each variable, where it has one.
    pub(crate) grads: &'a [Option<TensorRead<'a>>],
    /// On a card: the places of the variables and of their gradients.
    pub(crate) places: Option<View<'a, u64>>,
    pub(crate) first: ViewMut<'a, f32>,
    pub(crate) second: ViewMut<'a, f32>,
    /// Updates of each variable so far.
    pub(crate) counts: ViewMut<'a, u32>,
    /// Whether a gradient is NaN or infinite, if it is known.
    pub(crate) found: Option<View<'a, u32>>,
    /// Of each variable, whether its gradient is one, if that is not known from `grads`.
    pub(crate) reached: Option<View<'a, u32>>,
    pub(crate) lr: f64,
    pub(crate) elements: usize,
}

impl Kernel for AdamUpdate<'_> {
    fn cpu(self) {
        if self.found.is_some_and(|found| found.host().iter().any(|found| *found != 0)) {
            return;
        }
        let (first, second, counts) = (self.first.host(), self.second.host(), self.counts.host());
        let reached = self.reached.map(View::host);
        let mut end = 0;
        for (i, (var, grad)) in self.vars.iter().zip(self.grads).enumerate() {
            let range = end..end + var.elem_count();
            end = range.end;
            let Some(grad) = grad.as_ref().and_then(|grad| grad.view::<f32>().ok()) else {
                continue;
            };
            if reached.is_some_and(|reached| reached[i] == 0) {
                continue;
            }
            counts[i] += 1;
            let update = UpdateOnHost {
                grads: grad.host(),
                moments: std::cell::RefCell::new((&mut first[range.clone()], &mut second[range])),
                lr: self.lr,
                count: counts[i] as i32,
            };
            // A variable of the CPU in fp32, as the constructor made sure.
            let _ = var.inplace_op1(&update);
        }
        debug_assert_eq!(end, self.elements);
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let null = Ptr::NULL;
        let arguments = AdamArguments {
            places: self.places.map_or(null, View::card),
            first: self.first.card(),
            second: self.second.card(),
            counts: self.counts.card(),
            found: self.found.map_or(Ptr::NULL, View::card),
            reached: self.reached.map_or(Ptr::NULL, View::card),
            lr: self.lr,
            len: self.elements as i64,
            tensors: self.vars.len() as i32,
            padding: 0,
        };
        let tensors = Grid::elements(self.vars.len());
        // SAFETY: the table holds the places of as many variables, the moments an element of each.
        unsafe {
            card.launch("count_updates", tensors, arguments)?;
            card.launch("adam", Grid::elements(self.elements.div_ceil(EACH)), arguments)
        }
    }
}

/// Elements of a thread on a card: `ADAM_EACH` of adam.cu.
#[cfg(feature = "cuda")]
const EACH: usize = 8;

/// One variable's update on the CPU, in place.
struct UpdateOnHost<'a> {
    grads: &'a [f32],
    moments: std::cell::RefCell<(&'a mut [f32], &'a mut [f32])>,
    lr: f64,
    count: i32,
}

impl InplaceOp1 for UpdateOnHost<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("adam updates contiguous variables in fp32");
        };
        let (m, v) = &mut *self.moments.borrow_mut();
        update((&mut values[start..end], m, v), self.grads, (self.lr, self.count));
        Ok(())
    }
}

fn update(
    (weights, m, v): (&mut [f32], &mut [f32], &mut [f32]),
    grads: &[f32],
    (lr, count): (f64, i32),
) {
    let step = (lr / (1.0 - f64::from(BETA1).powi(count))) as f32;
    let root = (1.0 - f64::from(BETA2).powi(count)).sqrt() as f32;
    let pieces = weights
        .par_chunks_mut(PIECE)
        .zip(grads.par_chunks(PIECE))
        .zip(m.par_chunks_mut(PIECE))
        .zip(v.par_chunks_mut(PIECE));
    pieces.for_each(|(((weights, grads), m), v)| {
        let moments = m.iter_mut().zip(v);
        for ((w, g), (m, v)) in weights.iter_mut().zip(grads).zip(moments) {
            *m = BETA1 * *m + (1.0 - BETA1) * g;
            *v = BETA2 * *v + (1.0 - BETA2) * g * g;
            *w -= step * *m / (v.sqrt() / root + EPS);
        }
    });
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `AdamArguments` of adam.cu.
    struct AdamArguments: 72 {
        places: Ptr<u64> = 0,
        first: Ptr<f32> = 8,
        second: Ptr<f32> = 16,
        counts: Ptr<u32> = 24,
        found: Ptr<u32> = 32,
        reached: Ptr<u32> = 40,
        lr: f64 = 48,
        len: i64 = 56,
        tensors: i32 = 64,
        padding: i32 = 68,
    }
}
