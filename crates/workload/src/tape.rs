use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::{Shape, WorkloadError, memory};

/// The ring states that backward reads: one whole fp32 state `[B,R,D]` per token, state t being
/// what token t read. `T * B*R*D*4` bytes, the dominant term of the VRA-34 budget.
///
/// All states lie in one allocation, so that a step that does not fit fails before it starts.
#[derive(Debug)]
pub struct Tape {
    cells: Vec<MaybeUninit<f32>>,
    state_len: usize,
    filled: usize,
}

/// A copy is cut into pieces of this many elements (1 MiB) for the threads to share.
const PIECE: usize = 1 << 18;

impl Tape {
    /// An empty tape with room for every token.
    pub(crate) fn new(shape: &Shape) -> Result<Self, WorkloadError> {
        let state_len = shape.state_len();
        Ok(Self {
            cells: memory::uninit("the ring tape", state_len * shape.synth_len)?,
            state_len,
            filled: 0,
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

    /// The state that token `t` read, `[B,R,D]` row-major.
    ///
    /// # Panics
    ///
    /// If the tape holds no token `t`.
    pub fn state(&self, t: usize) -> &[f32] {
        assert!(t < self.filled, "no state of token {t} on the tape");
        let cells = &self.cells[t * self.state_len..(t + 1) * self.state_len];
        // SAFETY: states below `filled` are initialised.
        unsafe { cells.assume_init_ref() }
    }

    /// The state that token `t` read, to be changed: backward sees the change.
    ///
    /// # Panics
    ///
    /// If the tape holds no token `t`.
    pub fn state_mut(&mut self, t: usize) -> &mut [f32] {
        assert!(t < self.filled, "no state of token {t} on the tape");
        let cells = &mut self.cells[t * self.state_len..(t + 1) * self.state_len];
        // SAFETY: states below `filled` are initialised.
        unsafe { cells.assume_init_mut() }
    }

    /// The state after token 0's predecessor: all zeros.
    pub(crate) fn start(&mut self) {
        let (first, _) = self.cells.split_at_mut(self.state_len);
        first.par_chunks_mut(PIECE).for_each(|piece| {
            piece.fill(MaybeUninit::new(0.0));
        });
        self.filled = 1;
    }

    /// Copies the last state into a new one and returns that, for the token's write.
    pub(crate) fn advance(&mut self) -> &mut [f32] {
        let (done, free) = self.cells.split_at_mut(self.filled * self.state_len);
        let last = &done[done.len() - self.state_len..];
        // SAFETY: states below `filled` are initialised.
        let last = unsafe { last.assume_init_ref() };
        free[..self.state_len].par_chunks_mut(PIECE).zip(last.par_chunks(PIECE)).for_each(
            |(to, from)| {
                to.write_copy_of_slice(from);
            },
        );
        self.filled += 1;
        self.state_mut(self.filled - 1)
    }
}
