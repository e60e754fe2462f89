//! Backward of ring_step.rs, down to the gradients of the gates of the token that is over.

use rayon::prelude::*;
use vram_presets::tape::TapeKind;

use super::gru::gate_gradients;
use super::numeric::{Numeric, in_compute, in_pointer};
use super::ring_axis::{Gradient, Real, Taps};
use super::ring_rows;
use super::ring_step::RingToken;
#[cfg(feature = "cuda")]
use super::ring_step::{RingTokenArguments, row_grid};
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::TAPS;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{by_pointer, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Backward of the step from token `from` to the next.
pub(crate) struct RingStepBackward<'a> {
    pub(crate) token: RingToken<'a>,
    /// What the tape holds of the next token, where there is one: the state that it read, `[B,R,D]`, or
    /// the rows, `[B,5,D]`.
    pub(crate) read: Option<View<'a, f32>>,
    /// `[T+1,B]`
    pub(crate) pointers: View<'a, f64>,
    /// `[T+1,B,D]`
    pub(crate) hidden: View<'a, f32>,
    /// `[T,B,4]`: the gradients of the raw heads take their place.
    pub(crate) heads: ViewMut<'a, f32>,
    /// `[T,B,D]`: the gradients before the tanh take the next token's place.
    pub(crate) bridged: ViewMut<'a, f32>,
    /// `[T,B,4D]`: the gradients of the pre-activations take token `from`'s place.
    pub(crate) gates: ViewMut<'a, f32>,
    /// Gradient of the ring state, `[B,R,D]`, updated in place.
    pub(crate) d_ring: ViewMut<'a, f32>,
    /// Of token `from`'s hidden state, `[B,D]`, and `z` times it.
    pub(crate) d_hidden: ViewMut<'a, f32>,
    pub(crate) d_before: ViewMut<'a, f32>,
    /// Of the next token's input, `[B,D]`.
    pub(crate) d_x: ViewMut<'a, f32>,
    /// Of the taps' weights, `[B,5]`, and of the context's gain, `[B]`: per sample, so that they
    /// are summed in the same order in every run.
    pub(crate) d_taps: ViewMut<'a, f32>,
    pub(crate) d_gain: ViewMut<'a, f32>,
    /// Of pointers and residuals, `[B,2]`.
    pub(crate) d_pointer: ViewMut<'a, f64>,
    /// Of the rounded targets, `[T,B]`.
    pub(crate) d_target: ViewMut<'a, f32>,
}

impl Kernel for RingStepBackward<'_> {
    fn cpu(self) {
        in_pointer!(self.token.shape.pointer, |P| {
            in_compute!(self.token.shape.compute, |N| self.on_host().run::<N, P>())
        });
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let shape = self.token.shape;
        let arguments = RingStepBackwardArguments::new(self);
        let name = by_pointer!(shape.pointer, "ring_step_backward");
        // SAFETY: the views are the step's, sized as the struct says.
        unsafe { card.launch(name, row_grid(shape), arguments) }
    }
}

/// The same on the CPU, as slices.
struct OnHost<'a> {
    token: RingToken<'a>,
    read: Option<&'a [f32]>,
    pointers: &'a [f64],
    hidden: &'a [f32],
    heads: &'a mut [f32],
    bridged: &'a mut [f32],
    gates: &'a mut [f32],
    d_ring: &'a mut [f32],
    d_hidden: &'a mut [f32],
    d_before: &'a mut [f32],
    d_x: &'a mut [f32],
    d_taps: &'a mut [f32],
    d_gain: &'a mut [f32],
    d_pointer: &'a mut [f64],
    d_target: &'a mut [f32],
}

impl<'a> RingStepBackward<'a> {
    fn on_host(self) -> OnHost<'a> {
        OnHost {
            token: self.token,
            read: self.read.map(View::host),
            pointers: self.pointers.host(),
            hidden: self.hidden.host(),
            heads: self.heads.host(),
            bridged: self.bridged.host(),
            gates: self.gates.host(),
            d_ring: self.d_ring.host(),
            d_hidden: self.d_hidden.host(),
            d_before: self.d_before.host(),
            d_x: self.d_x.host(),
            d_taps: self.d_taps.host(),
            d_gain: self.d_gain.host(),
            d_pointer: self.d_pointer.host(),
            d_target: self.d_target.host(),
        }
    }
}

/// Where in what the tape holds of a sample the rows lie that its taps read.
fn places(tape: TapeKind, taps: &Taps) -> [usize; TAPS] {
    match tape {
        TapeKind::Full => taps.slots,
        TapeKind::Rows => std::array::from_fn(|j| j),
    }
}

impl OnHost<'_> {
    fn run<N: Numeric, P: Real>(mut self) {
        self.read_backward::<N, P>();
        if let Some(t) = self.token.from {
            self.move_backward::<P>(t);
            self.write_backward::<N, P>(t);
        }
    }

    /// What the next token read: gradients of the ring's rows, of the taps, of the pointers, of
    /// the gain and (in place of its value, through the tanh) of the bridge.
    fn read_backward<N: Numeric, P: Real>(&mut self) {
        let Some(read) = self.read else { return };
        let (shape, t) = (self.token.shape, self.token.next());
        let (b, r, d) = (shape.batch, shape.ring_len, shape.slot_dim);
        let gain = self.token.steering.gain();
        let axis = self.token.axis::<P>();
        let samples = read
            .par_chunks_exact(shape.tape_rows() * d)
            .zip(self.d_ring.par_chunks_exact_mut(r * d))
            .zip(self.d_x.par_chunks_exact_mut(d))
            .zip(self.bridged[t * b * d..(t + 1) * b * d].par_chunks_exact_mut(d))
            .zip(self.d_taps.par_chunks_exact(TAPS))
            .zip(&mut *self.d_gain)
            .zip(&self.pointers[t * b..(t + 1) * b])
            .zip(self.d_pointer.par_chunks_exact_mut(2));
        samples.for_each(
            |(((((((rows, d_ring), d_x), bridged), d_written), d_gain), &p), d_pointer)| {
                let taps = axis.taps(p);
                let d_read = ring_rows::project(rows, places(shape.tape, &taps), d_x);
                *d_gain += ring_rows::dot_taps(&taps, &d_read);
                let d_taps = std::array::from_fn(|j| d_written[j] + gain * d_read[j]);
                d_pointer[0] += taps.backward(d_taps);
                bridged.iter_mut().zip(&*d_x).for_each(|(v, g)| {
                    *v = N::round(g * (1.0 - *v * *v));
                });
                d_x.iter_mut().for_each(|g| *g *= gain);
                ring_rows::scatter(d_ring, &taps, d_x);
            },
        );
    }

    /// Token `t`'s move: gradients of the pointers before it, of the rounded targets, and of the
    /// raw heads.
    fn move_backward<P: Real>(&mut self, t: usize) {
        let batch = self.token.shape.batch;
        let axis = self.token.axis::<P>();
        for (b, d_pointer) in self.d_pointer.chunks_exact_mut(2).enumerate() {
            let at = t * batch + b;
            let grad = Gradient { p: d_pointer[0], residual: d_pointer[1] };
            let heads = self.token.heads_at(self.heads, t, b);
            let (before, d_heads, d_target) = axis.advance_backward(self.pointers[at], heads, grad);
            d_pointer.copy_from_slice(&[before.p, before.residual]);
            self.heads[at * 4..][..4].copy_from_slice(&d_heads);
            self.d_target[at] = d_target;
        }
    }

    /// Token `t`'s heads and write: gradients of the taps and of the hidden state, and from those
    /// the gates' and `z * dh`.
    fn write_backward<N: Numeric, P: Real>(&mut self, t: usize) {
        let shape = self.token.shape;
        let (b, r, d) = (shape.batch, shape.ring_len, shape.slot_dim);
        let axis = self.token.axis::<P>();
        let weights = self.token.steering.weights.map(View::host);
        let samples = self
            .d_ring
            .par_chunks_exact(r * d)
            .zip(self.d_hidden.par_chunks_exact_mut(d))
            .zip(self.hidden[(t + 1) * b * d..(t + 2) * b * d].par_chunks_exact(d))
            .zip(self.d_taps.par_chunks_exact_mut(TAPS))
            .zip(self.heads[t * b * 4..(t + 1) * b * 4].par_chunks_exact(4))
            .zip(&self.pointers[t * b..(t + 1) * b]);
        samples.for_each(|(((((d_ring, d_h), h), d_taps), d_heads), &p)| {
            for (weight, g) in weights.iter().zip(d_heads) {
                ring_rows::axpy(*g, weight, d_h);
            }
            let taps = axis.taps(p);
            d_taps.copy_from_slice(&ring_rows::project(d_ring, taps.slots, h));
            taps.slots.iter().zip(taps.weights).for_each(|(slot, w)| {
                ring_rows::axpy(w, ring_rows::row(d_ring, *slot, d), d_h);
            });
        });
        gate_gradients::<N>(
            (self.d_hidden, &self.hidden[t * b * d..(t + 1) * b * d]),
            &mut self.gates[t * b * 4 * d..(t + 1) * b * 4 * d],
            self.d_before,
            d,
        );
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `RingStepBackwardArguments` of ring_step_backward.cu.
    struct RingStepBackwardArguments: 240 {
        ring: RingTokenArguments = 0,
        read: RowSourceArguments = 120,
        pointers: Ptr<f64> = 136,
        hidden: Ptr<f32> = 144,
        heads: Ptr<f32> = 152,
        bridged: Ptr<f32> = 160,
        gates: Ptr<f32> = 168,
        d_ring: Ptr<f32> = 176,
        d_hidden: Ptr<f32> = 184,
        d_before: Ptr<f32> = 192,
        d_x: Ptr<f32> = 200,
        d_taps: Ptr<f32> = 208,
        d_gain: Ptr<f32> = 216,
        d_pointer: Ptr<f64> = 224,
        d_target: Ptr<f32> = 232,
    }
}

#[cfg(feature = "cuda")]
impl RingStepBackwardArguments {
    pub(super) fn new(step: RingStepBackward) -> Self {
        let shape = step.token.shape;
        Self {
            ring: RingTokenArguments::new(&step.token),
            read: RowSourceArguments {
                rows: step.read.map_or(Ptr::NULL, View::card),
                sample_rows: shape.tape_rows() as i32,
                by_tap: i32::from(shape.tape == TapeKind::Rows),
            },
            pointers: step.pointers.card(),
            hidden: step.hidden.card(),
            heads: step.heads.card(),
            bridged: step.bridged.card(),
            gates: step.gates.card(),
            d_ring: step.d_ring.card(),
            d_hidden: step.d_hidden.card(),
            d_before: step.d_before.card(),
            d_x: step.d_x.card(),
            d_taps: step.d_taps.card(),
            d_gain: step.d_gain.card(),
            d_pointer: step.d_pointer.card(),
            d_target: step.d_target.card(),
        }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `RowSource` of ring_rows.cuh.
    struct RowSourceArguments: 16 {
        rows: Ptr<f32> = 0,
        sample_rows: i32 = 8,
        by_tap: i32 = 12,
    }
}
