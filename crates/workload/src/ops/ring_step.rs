//! From one token to the next: heads, write, move of the pointer, read.
//!
//! ```text
//! heads  = W h + b                                   (jump, inertia, deadzone, walk)
//! write:  M'[c_j, :] = M[c_j, :] + w_j h             (taps of the pointer that was read at)
//! move:   ring_axis.rs                               (p -> p')
//! read:   x' = inp' + sigmoid(context_logit) sum_j w'_j M'[c'_j, :]
//! ```
//!
//! One ring state is updated in place; rows that the tape keeps are what the read finds, before
//! anything is written. After the last token only heads and pointers are left: its write is never
//! read as a whole, the readout adds its rows.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::numeric::{Numeric, in_compute, in_pointer};
use super::ring_axis::{Heads, Real, RingAxis, State};
use super::ring_rows;
use super::weights::Steering;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::{Shape, TAPS};
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, by_pointer, kernel_arguments, mode},
    crate::memory::pointer::Ptr,
};

/// What forward and backward of a token both are given.
pub(crate) struct RingToken<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) steering: Steering<'a>,
    /// The token that is over, none at the start.
    pub(crate) from: Option<usize>,
}

impl RingToken<'_> {
    /// The token that follows.
    pub(crate) fn next(&self) -> usize {
        self.from.map_or(0, |t| t + 1)
    }

    /// Whether a token follows.
    pub(crate) fn reads(&self) -> bool {
        self.next() < self.shape.synth_len
    }

    pub(super) fn axis<P: Real>(&self) -> RingAxis<'_, P> {
        RingAxis::new(
            self.shape.ring_len,
            self.steering.theta_ptr.host(),
            self.steering.theta_gate.host(),
        )
    }

    /// The raw heads `[T,B,4]` that move sample `b` at token `t`, or none where it is held.
    pub(super) fn heads_at(&self, heads: &[f32], t: usize, b: usize) -> Option<Heads> {
        let at = (t * self.shape.batch + b) * 4;
        t.is_multiple_of(self.shape.ptr_update_every)
            .then(|| std::array::from_fn(|k| heads[at + k]))
    }
}

/// The step from token `from` to the next. Sizes: `heads [T,B,4]`, `pointers [T+1,B]`,
/// `hidden [T+1,B,D]`, `bridged [T,B,D]`, `x [T,B,D]`, `carry [B,2]` (anchor and residual),
/// `moved [B]`, `state [B,R,D]`: the ring state, updated in place where a token follows that reads it,
/// `kept [B,5,D]`: the rows that it read, where the tape keeps those.
pub(crate) struct RingStep<'a> {
    pub(crate) token: RingToken<'a>,
    pub(crate) heads: ViewMut<'a, f32>,
    pub(crate) pointers: ViewMut<'a, f64>,
    pub(crate) hidden: View<'a, f32>,
    pub(crate) bridged: View<'a, f32>,
    pub(crate) state: ViewMut<'a, f32>,
    pub(crate) kept: Option<ViewMut<'a, MaybeUninit<f32>>>,
    pub(crate) carry: ViewMut<'a, f64>,
    pub(crate) moved: ViewMut<'a, f64>,
    pub(crate) x: ViewMut<'a, f32>,
}

impl Kernel for RingStep<'_> {
    fn cpu(self) {
        in_pointer!(self.token.shape.pointer, |P| {
            in_compute!(self.token.shape.compute, |N| self.run::<N, P>())
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let shape = self.token.shape;
        let arguments = RingStepArguments {
            ring: RingTokenArguments::new(&self.token),
            heads: self.heads.card(),
            pointers: self.pointers.card(),
            hidden: self.hidden.card(),
            bridged: self.bridged.card(),
            state: self.state.card(),
            kept: self.kept.map_or(Ptr::NULL, |kept| kept.card().cast()),
            carry: self.carry.card(),
            moved: self.moved.card(),
            x: self.x.card(),
        };
        let name = by_pointer!(shape.pointer, "ring_step");
        // SAFETY: the views are the step's, sized as the struct says.
        unsafe { card.launch(name, row_grid(shape), arguments) }
    }
}

impl RingStep<'_> {
    fn run<N: Numeric, P: Real>(self) {
        let Self { token, hidden, .. } = self;
        let shape = token.shape;
        let (b, d) = (shape.batch, shape.slot_dim);
        let axis = token.axis::<P>();
        let (heads, pointers) = (self.heads.host(), self.pointers.host());
        let state = self.state.host();
        if let Some(t) = token.from {
            let h = &hidden.host()[(t + 1) * b * d..(t + 2) * b * d];
            scalar_heads(&token.steering, h, &mut heads[t * b * 4..(t + 1) * b * 4]);
            if token.reads() {
                let samples = state
                    .par_chunks_exact_mut(shape.ring_len * d)
                    .zip(&pointers[t * b..(t + 1) * b])
                    .zip(h.par_chunks_exact(d));
                samples.for_each(|((ring, &p), h)| ring_rows::scatter(ring, &axis.taps(p), h));
            }
            let carries = self.carry.host().chunks_exact_mut(2).zip(self.moved.host());
            for (i, (carry, moved)) in carries.enumerate() {
                let before = State { p: pointers[t * b + i], anchor: carry[0], residual: carry[1] };
                let (next, distance) = axis.advance(before, token.heads_at(heads, t, i));
                pointers[(t + 1) * b + i] = next.p;
                carry.copy_from_slice(&[next.anchor, next.residual]);
                *moved += distance;
            }
        }
        if !token.reads() {
            return;
        }
        let gain = token.steering.gain();
        let at = token.next();
        let rings = || {
            let rings = state.par_chunks_exact(shape.ring_len * d);
            rings.zip(&pointers[at * b..(at + 1) * b])
        };
        if let Some(kept) = self.kept {
            let samples = rings().zip(kept.host().par_chunks_exact_mut(TAPS * d));
            samples.for_each(|((ring, &p), kept)| ring_rows::keep(ring, &axis.taps(p), kept));
        }
        let samples = rings()
            .zip(self.bridged.host()[at * b * d..(at + 1) * b * d].par_chunks_exact(d))
            .zip(self.x.host()[at * b * d..(at + 1) * b * d].par_chunks_exact_mut(d));
        samples.for_each(|(((ring, &p), inp), x)| {
            ring_rows::read(ring, &axis.taps(p), x);
            x.iter_mut().zip(inp).for_each(|(x, i)| *x = N::round(i + gain * *x));
        });
    }
}

/// `W h + b` of the four scalar heads, `h [B,D]`, `heads [B,4]`.
fn scalar_heads(steering: &Steering, h: &[f32], heads: &mut [f32]) {
    let weights = steering.weights.map(View::host);
    let biases = steering.biases.map(View::host);
    let d = weights[0].len();
    heads.par_chunks_exact_mut(4).zip(h.par_chunks_exact(d)).for_each(|(heads, h)| {
        for (k, head) in heads.iter_mut().enumerate() {
            *head = ring_rows::dot(weights[k], h) + biases[k][0];
        }
    });
}

/// One block a sample, whose threads own columns of the ring's rows.
#[cfg(feature = "cuda")]
pub(super) fn row_grid(shape: &Shape) -> Grid {
    Grid { blocks: (shape.batch, 1), threads: (shape.slot_dim.div_ceil(32) * 32).min(512) }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `RingToken` of ring_step.cuh.
    struct RingTokenArguments: 120 {
        theta_ptr: Ptr<f32> = 0,
        theta_gate: Ptr<f32> = 8,
        context_logit: Ptr<f32> = 16,
        head_weights: [Ptr<f32>; 4] = 24,
        head_biases: [Ptr<f32>; 4] = 56,
        from: i32 = 88,
        tokens: i32 = 92,
        batch: i32 = 96,
        ring_len: i32 = 100,
        slot_dim: i32 = 104,
        update_every: i32 = 108,
        mode: i32 = 112,
        padding: i32 = 116,
    }
}

#[cfg(feature = "cuda")]
impl RingTokenArguments {
    pub(super) fn new(token: &RingToken) -> Self {
        let RingToken { shape, steering, from } = token;
        Self {
            theta_ptr: steering.theta_ptr.card(),
            theta_gate: steering.theta_gate.card(),
            context_logit: steering.context_logit.card(),
            head_weights: steering.weights.map(View::card),
            head_biases: steering.biases.map(View::card),
            from: from.map_or(-1, |t| t as i32),
            tokens: shape.synth_len as i32,
            batch: shape.batch as i32,
            ring_len: shape.ring_len as i32,
            slot_dim: shape.slot_dim as i32,
            update_every: i32::try_from(shape.ptr_update_every).unwrap_or(i32::MAX),
            mode: mode(shape.compute),
            padding: 0,
        }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `RingStepArguments` of ring_step.cu.
    struct RingStepArguments: 192 {
        ring: RingTokenArguments = 0,
        heads: Ptr<f32> = 120,
        pointers: Ptr<f64> = 128,
        hidden: Ptr<f32> = 136,
        bridged: Ptr<f32> = 144,
        state: Ptr<f32> = 152,
        kept: Ptr<f32> = 160,
        carry: Ptr<f64> = 168,
        moved: Ptr<f64> = 176,
        x: Ptr<f32> = 184,
    }
}
