use std::ops::Range;

use crate::backend::Stages;
use crate::item::{Class, Item, dims};
use crate::{Backend, Shape, WorkloadError};

/// The ring states that backward reads: one whole fp32 state `[B,R,D]` per token, state t being
/// what token t read. `T * B*R*D*4` bytes, the dominant term of the VRA-34 budget.
///
/// All states lie in one allocation, so that a step that does not fit fails before it starts.
#[derive(Debug)]
pub struct Tape<B: Backend> {
    pub(crate) cells: B::Cells,
    pub(crate) state_len: usize,
    filled: usize,
    backend: B,
}

const STATES: Item = Item::new(Class::Tape, "ring tape", &[dims::T, dims::B, dims::R, dims::D]);

impl<B: Stages> Tape<B> {
    /// An empty tape with room for every token.
    pub(crate) fn new(backend: &B, shape: &Shape) -> Result<Self, WorkloadError> {
        Self::of(backend, shape.state_len(), shape.synth_len)
    }

    /// An empty tape with room for `states` states.
    pub(crate) fn of(backend: &B, state_len: usize, states: usize) -> Result<Self, WorkloadError> {
        Ok(Self {
            cells: backend.cells(&STATES, state_len * states)?,
            state_len,
            filled: 0,
            backend: backend.clone(),
        })
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
        self.backend.read_cells(&self.cells, self.range(t))
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
        self.backend.write_cells(&mut self.cells, start, values)
    }

    /// Where state `t` lies.
    pub(crate) fn range(&self, t: usize) -> Range<usize> {
        assert!(t < self.filled, "no state of token {t} on the tape");
        t * self.state_len..(t + 1) * self.state_len
    }

    /// One more state holds values.
    pub(crate) fn filled_one_more(&mut self) {
        self.filled += 1;
    }
}
