//! The ring states that forward keeps for backward.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::names::{B, D, R, T};
use crate::memory::buffer::{Buffer, View, ViewMut};
use crate::memory::context::Context;
use crate::ops::copy::{ClearState, CopyState};
use crate::shape::Shape;

/// The ring states that backward reads: one whole fp32 state `[B,R,D]` per token, state t being
/// what token t read. `T * B*R*D*4` bytes, the dominant term of the VRA-34 budget.
///
/// All states lie in one allocation, so that a step that does not fit fails before it starts.
#[derive(Debug)]
pub struct Tape {
    states: Buffer<MaybeUninit<f32>>,
    state_len: usize,
    filled: usize,
}

const STATES: BufferSpec = BufferSpec::new(BufferKind::Tape, "ring tape", &[T, B, R, D]);

impl Tape {
    /// An empty tape with room for every token.
    pub(crate) fn new(context: &Context, shape: &Shape) -> Result<Self, WorkloadError> {
        Self::of(context, shape.state_len(), shape.synth_len)
    }

    /// An empty tape with room for `states` states.
    pub(crate) fn of(
        context: &Context,
        state_len: usize,
        states: usize,
    ) -> Result<Self, WorkloadError> {
        let states = context.uninit(&STATES, state_len * states)?;
        Ok(Self { states, state_len, filled: 0 })
    }

    /// Number of states on the tape.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether no token has been recorded.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The state that token `t` read, `[B,R,D]` row-major, in host memory.
    ///
    /// # Errors
    ///
    /// If the device does not give it out.
    ///
    /// # Panics
    ///
    /// If the tape holds no token `t`.
    pub fn state(&self, t: usize) -> Result<Vec<f32>, WorkloadError> {
        let range = self.range(t);
        // SAFETY: `range` allows only states that have been written.
        unsafe { self.states.read_written(range) }
    }

    /// Overwrites the state that token `t` read, from element `at` on: backward sees the change.
    ///
    /// # Errors
    ///
    /// If the device does not take it.
    ///
    /// # Panics
    ///
    /// If the tape holds no token `t`, or the values reach past its state.
    pub fn overwrite(&mut self, t: usize, at: usize, values: &[f32]) -> Result<(), WorkloadError> {
        assert!(at + values.len() <= self.state_len, "past the end of a state");
        let start = self.range(t).start + at;
        self.states.overwrite(start, values)
    }

    /// State 0: zero.
    pub(crate) fn start(&mut self, context: &Context) -> Result<(), WorkloadError> {
        let len = self.state_len;
        context.run(ClearState { state: self.states.view_mut().slice(0..len), len })?;
        self.filled = 1;
        Ok(())
    }

    /// The next state begins as a copy of the last.
    pub(crate) fn copy_last(&mut self, context: &Context) -> Result<(), WorkloadError> {
        let len = self.state_len;
        let (done, free) = self.states.view_mut().split_at(self.filled * len);
        let last = done.into_view().slice((self.filled - 1) * len..self.filled * len);
        // SAFETY: `filled` states have been written.
        let from = unsafe { last.assume_written() };
        context.run(CopyState { from, to: free.slice(0..len), len })?;
        self.filled += 1;
        Ok(())
    }

    /// The last state is written anew by the next copy.
    pub(crate) fn forget_last(&mut self) {
        self.filled -= 1;
    }

    /// The state that token `t` reads.
    pub(crate) fn view(&self, t: usize) -> View<'_, f32> {
        let range = self.range(t);
        // SAFETY: `range` allows only states that have been written.
        unsafe { self.states.view().slice(range).assume_written() }
    }

    /// As [`Tape::view`], to be changed.
    pub(crate) fn view_mut(&mut self, t: usize) -> ViewMut<'_, f32> {
        let range = self.range(t);
        // SAFETY: `range` allows only states that have been written.
        unsafe { self.states.view_mut().slice(range).assume_written() }
    }

    /// Where state `t` lies.
    fn range(&self, t: usize) -> Range<usize> {
        assert!(t < self.filled, "no state of token {t} on the tape");
        t * self.state_len..(t + 1) * self.state_len
    }
}
