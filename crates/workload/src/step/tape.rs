//! What forward keeps of the ring for backward.

use std::mem::MaybeUninit;
use std::ops::Range;

use vram_presets::tape::TapeKind;

use super::activations::Activations;
use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::names::{B, D, K, R, T};
use crate::memory::buffer::{Buffer, View, ViewMut};
use crate::memory::context::Context;
use crate::ops::copy::ClearState;
use crate::ops::write_states::{MOST_STATES, WriteStates};
use crate::shape::Shape;

/// What backward reads of the ring. Full: one whole fp32 state `[B,R,D]` per token, state t being
/// what token t read; `T * B*R*D*4` bytes, the dominant term of the VRA-34 budget. Rows: of each state
/// only the five rows `[B,5,D]` that the token read.
///
/// All of it lies in one allocation, so that a step that does not fit fails before it starts.
#[derive(Debug)]
pub struct Tape {
    kind: TapeKind,
    values: Buffer<MaybeUninit<f32>>,
    /// Elements per token.
    token_len: usize,
    filled: usize,
}

const STATES: BufferSpec = BufferSpec::new(BufferKind::Tape, "ring tape", &[T, B, R, D]);
const ROWS: BufferSpec = BufferSpec::new(BufferKind::Tape, "rows read", &[T, B, K, D]);

impl Tape {
    /// An empty tape with room for every token.
    pub(crate) fn new(context: &Context, shape: &Shape) -> Result<Self, WorkloadError> {
        let spec = match shape.tape {
            TapeKind::Full => &STATES,
            TapeKind::Rows => &ROWS,
        };
        let values = context.uninit(spec, spec.len(shape))?;
        let token_len = shape.batch * shape.tape_rows() * shape.slot_dim;
        Ok(Self { kind: shape.tape, values, token_len, filled: 0 })
    }

    /// Number of tokens on the tape.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether no token has been recorded.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// What backward reads of token `t`, row-major, in host memory: the state that it read, `[B,R,D]`,
    /// or of a tape of rows those that it read, `[B,5,D]`, in the order of their slots around the
    /// pointer.
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
        // SAFETY: `range` allows only tokens that have been written.
        unsafe { self.values.read_written(range) }
    }

    /// Overwrites what [`Tape::state`] gives of token `t`, from element `at` on: backward sees the
    /// change.
    ///
    /// # Errors
    ///
    /// If the device does not take it.
    ///
    /// # Panics
    ///
    /// If the tape holds no token `t`, or the values reach past it.
    pub fn overwrite(&mut self, t: usize, at: usize, values: &[f32]) -> Result<(), WorkloadError> {
        assert!(at + values.len() <= self.token_len, "past the end of a token");
        let start = self.range(t).start + at;
        self.values.overwrite(start, values)
    }

    /// Before the first token: a state of zeros, where states are kept.
    pub(crate) fn start(&mut self, context: &Context) -> Result<(), WorkloadError> {
        if self.kind == TapeKind::Full {
            let len = self.token_len;
            context.run(ClearState { state: self.values.view_mut().slice(0..len), len })?;
            self.filled = 1;
        }
        Ok(())
    }

    /// Where the rows go that the next `count` tokens read, where rows are kept.
    pub(crate) fn next_rows(&mut self, count: usize) -> Option<ViewMut<'_, MaybeUninit<f32>>> {
        let first = self.filled * self.token_len;
        let range = first..first + count * self.token_len;
        (self.kind == TapeKind::Rows).then(|| self.values.view_mut().slice(range))
    }

    /// The next `count` tokens' rows have been written, where rows are kept.
    pub(crate) fn rows_written(&mut self, count: usize) {
        if self.kind == TapeKind::Rows {
            self.filled += count;
        }
    }

    /// Token `t` has been computed, and so have its predecessors, or a chain was launched that computes
    /// it: writes the states that follow them,
    /// where states are kept, as soon as there are enough or no more will be. On a card they are
    /// written beside what is run next.
    pub(crate) fn follow(
        &mut self,
        context: &Context,
        shape: &Shape,
        acts: &Activations,
        (t, is_chained): (usize, bool),
    ) -> Result<(), WorkloadError> {
        // The last token's write is no token's read.
        let states = (t + 2).min(shape.synth_len);
        let count = states.saturating_sub(self.filled);
        let due = count == MOST_STATES || (count > 0 && states == shape.synth_len);
        if self.kind == TapeKind::Rows || !due {
            return Ok(());
        }
        let (len, first) = (self.token_len, self.filled - 1);
        let (done, free) = self.values.view_mut().split_at(self.filled * len);
        let last = done.into_view().slice(first * len..self.filled * len);
        let (b, row) = (shape.batch, shape.batch * shape.slot_dim);
        context.run(WriteStates {
            shape,
            chained: is_chained.then_some(first + count),
            count,
            // SAFETY: `filled` states have been written.
            first: unsafe { last.assume_written() },
            next: free.slice(0..count * len),
            pointers: acts.pointers.view().slice(first * b..(first + count) * b),
            hidden: acts.hidden.view().slice((first + 1) * row..(first + 1 + count) * row),
        })?;
        self.filled = states;
        Ok(())
    }

    /// What all tokens read.
    pub(crate) fn all(&self) -> View<'_, f32> {
        let len = self.filled * self.token_len;
        // SAFETY: `filled` tokens have been written.
        unsafe { self.values.view().slice(0..len).assume_written() }
    }

    /// What token `t` read.
    pub(crate) fn view(&self, t: usize) -> View<'_, f32> {
        let range = self.range(t);
        // SAFETY: `range` allows only tokens that have been written.
        unsafe { self.values.view().slice(range).assume_written() }
    }

    /// Where token `t` lies.
    fn range(&self, t: usize) -> Range<usize> {
        assert!(t < self.filled, "no token {t} on the tape");
        t * self.token_len..(t + 1) * self.token_len
    }
}
