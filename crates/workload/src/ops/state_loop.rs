//! State loop telemetry: which of eight modes the hidden state of the first samples is in, token by
//! token. It watches, and changes nothing.
//!
//! ```text
//! mode_t = argmax_k (h_t Q)_k (the first of equals)
//! flip:  mode_t != mode_{t-1}      ABAB: a flip with mode_t == mode_{t-2}      dwell: tokens since the flip
//! ```
//!
//! All tokens at once, when forward is over: their hidden states are still there.

use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::model::mode_directions::MODES;
use crate::shape::Shape;
#[cfg(feature = "cuda")]
use {
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Counts of a sample: flips, ABABs, longest dwell, last dwell, then tokens in each mode.
pub(crate) const COUNTS: usize = 4 + MODES;

/// `hidden [T+1,B,D]`, of which the first is the state before token 0; `directions [D,8]`;
/// `counts [n',12]`, one row for each of the first samples.
pub(crate) struct WatchModes<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) hidden: View<'a, f32>,
    pub(crate) directions: View<'a, f32>,
    pub(crate) counts: ViewMut<'a, u32>,
}

impl Kernel for WatchModes<'_> {
    fn cpu(self) {
        let (b, d) = (self.shape.batch, self.shape.slot_dim);
        let (hidden, directions) = (self.hidden.host(), self.directions.host());
        for (sample, counts) in self.counts.host().chunks_exact_mut(COUNTS).enumerate() {
            let mut watch = Watch::default();
            for t in 0..self.shape.synth_len {
                let h = &hidden[((t + 1) * b + sample) * d..][..d];
                let mut scores = [0.0f32; MODES];
                for (v, row) in h.iter().zip(directions.chunks_exact(MODES)) {
                    scores.iter_mut().zip(row).for_each(|(s, q)| *s += v * q);
                }
                // The first of equals, as `max_by` would not take.
                let top =
                    (1..MODES).fold(0, |top, k| if scores[k] > scores[top] { k } else { top });
                watch.token(t, top as u32, counts);
            }
            counts[3] = watch.dwell;
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let shape = self.shape;
        let arguments = WatchModesArguments {
            hidden: self.hidden.card(),
            directions: self.directions.card(),
            counts: self.counts.card(),
            tokens: shape.synth_len as i32,
            batch: shape.batch as i32,
            slot_dim: shape.slot_dim as i32,
            padding: 0,
        };
        let grid = Grid { blocks: (shape.watched(), 1), threads: 32 * MODES };
        // SAFETY: one row of counts a watched sample, a hidden state a token and sample.
        unsafe { card.launch("watch_modes", grid, arguments) }
    }
}

#[derive(Default)]
struct Watch {
    before: u32,
    before_that: u32,
    dwell: u32,
}

impl Watch {
    fn token(&mut self, t: usize, mode: u32, counts: &mut [u32]) {
        let flip = t > 0 && mode != self.before;
        counts[0] += u32::from(flip);
        // At token 1 the mode before the last is the last: a flip is no way back.
        counts[1] += u32::from(flip && t > 1 && mode == self.before_that);
        self.dwell = if t == 0 || flip { 1 } else { self.dwell + 1 };
        counts[2] = counts[2].max(self.dwell);
        counts[4 + mode as usize] += 1;
        self.before_that = if t == 0 { mode } else { self.before };
        self.before = mode;
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `WatchModesArguments` of state_loop.cu.
    struct WatchModesArguments: 40 {
        hidden: Ptr<f32> = 0,
        directions: Ptr<f32> = 8,
        counts: Ptr<u32> = 16,
        tokens: i32 = 24,
        batch: i32 = 28,
        slot_dim: i32 = 32,
        padding: i32 = 36,
    }
}
