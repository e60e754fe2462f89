//! The ring states of some tokens, one from the other.
//!
//! ```text
//! M_(t+1) = M_t,   M_(t+1)[c_j, :] += w_j h_t       for each tap j in turn
//! ```
//!
//! What ring_step.rs does to the one state that it updates in place, to the same bits. Each element is
//! read once and written once a token. On a card this runs beside the chain of tokens, which needs
//! none of it.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::copy::PIECE;
use super::numeric::in_pointer;
use super::ring_axis::{Real, RingAxis, Taps};
use super::ring_rows;
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Shape;
#[cfg(feature = "cuda")]
use {
    super::chain::{self, Counters},
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, by_pointer, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// The most states that are written at once: a card keeps the taps of as many tokens
/// (`MOST_STATES` of write_states.cu).
pub(crate) const MOST_STATES: usize = 8;

/// Writes `count` states after the first, from `count` tokens. `first [B,R,D]`, `next
/// [count,B,R,D]`, right behind it; `pointers [count,B]` before each token, `hidden [count,B,D]`
/// after it.
pub(crate) struct WriteStates<'a> {
    pub(crate) shape: &'a Shape,
    /// Where the tokens were launched as one chain: how many of it must be over.
    pub(crate) chained: Option<usize>,
    pub(crate) count: usize,
    pub(crate) first: View<'a, f32>,
    pub(crate) next: ViewMut<'a, MaybeUninit<f32>>,
    pub(crate) pointers: View<'a, f64>,
    pub(crate) hidden: View<'a, f32>,
}

impl Kernel for WriteStates<'_> {
    fn cpu(self) {
        in_pointer!(self.shape.pointer, |P| self.run::<P>());
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        let shape = self.shape;
        let arguments = WriteStatesArguments {
            states: self.first.card(),
            pointers: self.pointers.card(),
            hidden: self.hidden.card(),
            count: self.count as i32,
            batch: shape.batch as i32,
            ring_len: shape.ring_len as i32,
            slot_dim: shape.slot_dim as i32,
        };
        match self.chained {
            Some(tokens) => chain::wait_beside(card, Counters::Forward, tokens * shape.batch)?,
            None => card.fork()?,
        }
        let name = by_pointer!(shape.pointer, "write_states");
        let rows = shape.batch * shape.ring_len;
        // One block a multiprocessor, beside which one of the chain has room. With more threads its
        // writes keep the chain waiting for memory longer than they save.
        let grid = Grid { blocks: (rows.min(card.room().multiprocessors), 1), threads: 384 };
        // SAFETY: the views are the step's, sized as the struct says, and what follows the first
        // state is the next ones.
        unsafe { card.beside().launch(name, grid, arguments) }
    }
}

impl WriteStates<'_> {
    fn run<P: Real>(self) {
        let (b, r, d) = (self.shape.batch, self.shape.ring_len, self.shape.slot_dim);
        let axis = RingAxis::<P>::new(r, &[], &[]);
        let taps: Vec<Taps> = self.pointers.host().iter().map(|p| axis.taps(*p)).collect();
        let hidden = self.hidden.host();
        let piece_rows = (PIECE / d).max(1);
        let first = self.first.host().chunks(piece_rows * d);
        let mut columns: Vec<Column> =
            first.map(|first| Column { first, next: Vec::with_capacity(self.count) }).collect();
        for state in self.next.host().chunks_exact_mut(b * r * d) {
            let pieces = state.chunks_mut(piece_rows * d);
            columns.iter_mut().zip(pieces).for_each(|(column, piece)| column.next.push(piece));
        }
        columns.into_par_iter().enumerate().for_each(|(at, column)| {
            let first_row = at * piece_rows;
            let rows = first_row..first_row + column.first.len() / d;
            let samples = rows.start / r..rows.end.div_ceil(r);
            let mut state = column.first;
            for (k, next) in column.next.into_iter().enumerate() {
                let next = next.write_copy_of_slice(state);
                for sample in samples.clone() {
                    let token = k * b + sample;
                    let h = &hidden[token * d..(token + 1) * d];
                    for (slot, weight) in taps[token].slots.iter().zip(taps[token].weights) {
                        let row = sample * r + slot;
                        if rows.contains(&row) {
                            let start = (row - first_row) * d;
                            ring_rows::axpy(weight, h, &mut next[start..start + d]);
                        }
                    }
                }
                state = next;
            }
        });
    }
}

/// The same rows of every state: a piece that one thread takes from state to state while it is warm.
struct Column<'a> {
    first: &'a [f32],
    next: Vec<&'a mut [MaybeUninit<f32>]>,
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `WriteStatesArguments` of write_states.cu.
    struct WriteStatesArguments: 40 {
        states: Ptr<f32> = 0,
        pointers: Ptr<f64> = 8,
        hidden: Ptr<f32> = 16,
        count: i32 = 24,
        batch: i32 = 28,
        ring_len: i32 = 32,
        slot_dim: i32 = 36,
    }
}
