//! What a device does for a training step.
//!
//! The order of a step, what it allocates and when, is written once, in `forward.rs`,
//! `backward.rs` and `trainer.rs`. A backend supplies buffers and the stages between them, cut
//! where a GPU wants few launches and a CPU few passes.

use std::fmt::Debug;
use std::ops::Range;

use crate::activations::Activations;
use crate::backward::Workspace;
use crate::item::Item;
use crate::{Adam, Batch, Forward, Gradients, LossScale, Model, Shape, Tape, WorkloadError};

/// A device that a step can run on: [`Host`](crate::Host), and `Cuda` with the feature `cuda`.
pub trait Backend: Stages {}

impl<B: Stages> Backend for B {}

/// What a buffer holds.
pub trait Element: Copy + Default + PartialEq + Debug + Send + Sync + Portable {}

impl Element for f32 {}
impl Element for f64 {}
impl Element for u16 {}
impl Element for u32 {}
impl Element for i32 {}

/// Elements that a device can be handed as they are.
#[cfg(not(feature = "cuda"))]
pub trait Portable: 'static {}
#[cfg(not(feature = "cuda"))]
impl<T: 'static> Portable for T {}

/// Elements that a device can be handed as they are.
#[cfg(feature = "cuda")]
pub trait Portable: cudarc::driver::DeviceRepr + cudarc::driver::ValidAsZeroBits + 'static {}
#[cfg(feature = "cuda")]
impl<T: cudarc::driver::DeviceRepr + cudarc::driver::ValidAsZeroBits + 'static> Portable for T {}

type Done = Result<(), WorkloadError>;

/// Buffers and stages. A stage may be over when it returns or only enqueued; reading a buffer
/// waits for it.
pub trait Stages: Clone + Debug + Sized {
    /// A buffer.
    type Buf<T: Element>: Debug;
    /// Memory for the tape, which is written before it is read.
    type Cells: Debug;
    /// What a rounded weight is kept as.
    type Half: Element;
    /// What the forward stages need besides, alive as long as the activations.
    type Scratch: Debug;

    /// The item's elements, which hold zero.
    fn zeroed<T: Element>(&self, item: &Item, shape: &Shape)
    -> Result<Self::Buf<T>, WorkloadError>;

    /// The item's elements, which hold `values`: as many as the item says.
    fn upload<T: Element>(
        &self,
        item: &Item,
        shape: &Shape,
        values: impl FnOnce() -> Result<Vec<T>, WorkloadError>,
    ) -> Result<Self::Buf<T>, WorkloadError>;

    /// Replaces the values from `at` on.
    fn write<T: Element>(&self, buffer: &mut Self::Buf<T>, at: usize, values: &[T]) -> Done;

    /// The values of a range.
    fn read<T: Element>(
        &self,
        buffer: &Self::Buf<T>,
        range: Range<usize>,
    ) -> Result<Vec<T>, WorkloadError>;

    /// Memory for `len` elements of the tape.
    fn cells(&self, item: &Item, len: usize) -> Result<Self::Cells, WorkloadError>;

    /// Values of the tape; the range has been written.
    fn read_cells(
        &self,
        cells: &Self::Cells,
        range: Range<usize>,
    ) -> Result<Vec<f32>, WorkloadError>;

    /// Replaces values of the tape.
    fn write_cells(&self, cells: &mut Self::Cells, at: usize, values: &[f32]) -> Done;

    /// The forward stages' own memory.
    fn scratch(&self, shape: &Shape) -> Result<Self::Scratch, WorkloadError>;

    /// The weights in the mode's numbers.
    fn cast_weights(model: &mut Model<Self>) -> Done;

    /// The sensory path, which does not depend on the ring, and its bridge to the main cell.
    fn sense(model: &Model<Self>, batch: &Batch<Self>, acts: &mut Activations<Self>) -> Done;

    /// State 0 and the pointers before token 0.
    fn start(model: &Model<Self>, starts: &Self::Buf<f64>, forward: &mut Forward<Self>) -> Done;

    /// Copies state `t` into state `t + 1`.
    fn advance(&self, tape: &mut Tape<Self>, t: usize) -> Done;

    /// Until everything that was enqueued is over.
    fn wait(&self) -> Done;

    /// Token `t`'s cell: from its input to the hidden state after it.
    fn cell(model: &Model<Self>, acts: &mut Activations<Self>, t: usize) -> Done;

    /// From token `from` (none at the start) to the next: heads, pointers, write, and the next
    /// token's read. After the last token only heads and pointers are left: its write is never
    /// read as a whole, the readout adds its rows.
    fn turn(model: &Model<Self>, forward: &mut Forward<Self>, from: Option<usize>) -> Done;

    /// Features, logits and loss.
    fn read_out(model: &Model<Self>, batch: &Batch<Self>, forward: &mut Forward<Self>) -> Done;

    /// Zeroes the gradients and notes which parameters backward reaches; then the gradients of the
    /// readout, of the last hidden state and of the ring's rows that were read out.
    fn leave(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        scale: &LossScale<Self>,
        work: &mut Workspace<Self>,
    ) -> Done;

    /// Backward of [`Stages::turn`], down to the gradients of token `from`'s gates.
    fn turn_back(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        work: &mut Workspace<Self>,
        from: Option<usize>,
    ) -> Done;

    /// Backward of [`Stages::cell`] from the gates' gradients to those of the cell's input and of
    /// the hidden state before it.
    fn cell_back(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        work: &mut Workspace<Self>,
        t: usize,
    ) -> Done;

    /// Gradients of the fields, the context's gain, the heads and the main cell, from all tokens.
    fn collect(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        work: &mut Workspace<Self>,
    ) -> Done;

    /// Backward of [`Stages::sense`].
    fn unsense(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        work: &mut Workspace<Self>,
    ) -> Done;

    /// Checks the gradients, updates what they reach if they are finite, and moves the loss scale.
    fn update(
        model: &mut Model<Self>,
        grads: &mut Gradients<Self>,
        adam: &mut Adam<Self>,
        scale: &mut LossScale<Self>,
    ) -> Done;
}
