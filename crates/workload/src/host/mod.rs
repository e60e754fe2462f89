//! The CPU: buffers are vectors, a stage is over when it returns.

mod backward;
mod forward;

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::activations::Activations;
use crate::backend::{Element, Stages};
use crate::backward::Workspace;
use crate::item::{Class, Dim, Item, dims};
use crate::kernels::gru::Cell;
use crate::kernels::pointer::{Circle, Real};
use crate::kernels::{adam, gemm};
use crate::numeric::sigmoid;
use crate::{
    Adam, Batch, Forward, Gradients, LossScale, Model, Shape, Tape, WorkloadError, loss_scale,
    memory,
};

/// The CPU and its memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Host {
    /// The CPU with its threads started, each with the buffer that the products' library keeps for
    /// packing: what they take is no part of a step.
    pub fn open() -> Self {
        gemm::warm_up();
        rayon::broadcast(|_| gemm::warm_up());
        Self
    }
}

/// Runs `$body` with the types `$n`, the mode's numbers, and `$p`, the pointer's.
macro_rules! in_mode {
    ($shape:expr, |$n:ident, $p:ident| $body:expr) => {{
        use crate::numeric::{Brain16, Half16, Single};
        use crate::shape::{Compute, Pointer};
        macro_rules! run {
            ($numeric:ty, $real:ty) => {{
                #[allow(dead_code, reason = "a stage without a pointer names only one of them")]
                type $n = $numeric;
                #[allow(dead_code, reason = "a stage without products names only one of them")]
                type $p = $real;
                $body
            }};
        }
        match ($shape.compute, $shape.pointer) {
            (Compute::Fp32, Pointer::Fp64) => run!(Single, f64),
            (Compute::Fp32, Pointer::Fp32) => run!(Single, f32),
            (Compute::Fp16, Pointer::Fp64) => run!(Half16, f64),
            (Compute::Fp16, Pointer::Fp32) => run!(Half16, f32),
            (Compute::Bf16, Pointer::Fp64) => run!(Brain16, f64),
            (Compute::Bf16, Pointer::Fp32) => run!(Brain16, f32),
        }
    }};
}

/// A hidden state in the mode's numbers, as the cells' products take it: the main cell's `[B,D]`
/// and the sensory cell's `[B,S]`.
#[derive(Debug)]
pub struct Operands {
    main: Vec<f32>,
    sensory: Vec<f32>,
}

const fn operand(name: &'static str, dims: &'static [Dim]) -> Item {
    Item::new(Class::Activations, name, dims)
}

/// The items of [`Operands`].
pub(crate) const OPERANDS: [Item; 2] = [
    operand("cell operand", &[dims::B, dims::D]),
    operand("sensory cell operand", &[dims::B, dims::S]),
];

/// A copy is cut into pieces of this many elements (1 MiB) for the threads to share.
const PIECE: usize = 1 << 18;

impl Stages for Host {
    type Buf<T: Element> = Vec<T>;
    type Cells = Vec<MaybeUninit<f32>>;
    type Half = f32;
    type Scratch = Operands;

    fn zeroed<T: Element>(&self, item: &Item, shape: &Shape) -> Result<Vec<T>, WorkloadError> {
        memory::zeroed(item.name, item.len(shape))
    }

    fn upload<T: Element>(
        &self,
        item: &Item,
        shape: &Shape,
        values: impl FnOnce() -> Result<Vec<T>, WorkloadError>,
    ) -> Result<Vec<T>, WorkloadError> {
        let mut values = values()?;
        debug_assert_eq!(values.len(), item.len(shape), "{}", item.name);
        values.shrink_to_fit();
        Ok(values)
    }

    fn write<T: Element>(
        &self,
        buffer: &mut Vec<T>,
        at: usize,
        values: &[T],
    ) -> Result<(), WorkloadError> {
        buffer[at..at + values.len()].copy_from_slice(values);
        Ok(())
    }

    fn read<T: Element>(
        &self,
        buffer: &Vec<T>,
        range: Range<usize>,
    ) -> Result<Vec<T>, WorkloadError> {
        Ok(buffer[range].to_vec())
    }

    fn cells(&self, item: &Item, len: usize) -> Result<Self::Cells, WorkloadError> {
        memory::uninit(item.name, len)
    }

    fn read_cells(
        &self,
        cells: &Self::Cells,
        range: Range<usize>,
    ) -> Result<Vec<f32>, WorkloadError> {
        // SAFETY: the caller asks only for what has been written.
        Ok(unsafe { cells[range].assume_init_ref() }.to_vec())
    }

    fn write_cells(
        &self,
        cells: &mut Self::Cells,
        at: usize,
        values: &[f32],
    ) -> Result<(), WorkloadError> {
        cells[at..at + values.len()].write_copy_of_slice(values);
        Ok(())
    }

    fn scratch(&self, shape: &Shape) -> Result<Operands, WorkloadError> {
        let [main, sensory] = &OPERANDS;
        Ok(Operands { main: self.zeroed(main, shape)?, sensory: self.zeroed(sensory, shape)? })
    }

    fn cast_weights(model: &mut Model<Self>) -> Result<(), WorkloadError> {
        if let Some(rounded) = &mut model.rounded {
            rounded.copy_from_slice(&model.weights);
            model.shape.compute.round_all(rounded);
        }
        Ok(())
    }

    fn sense(
        model: &Model<Self>,
        batch: &Batch<Self>,
        acts: &mut Activations<Self>,
    ) -> Result<(), WorkloadError> {
        in_mode!(model.shape, |N, _P| forward::sense::<N>(model, batch, acts));
        Ok(())
    }

    fn start(
        model: &Model<Self>,
        starts: &Vec<f64>,
        forward: &mut Forward<Self>,
    ) -> Result<(), WorkloadError> {
        let len = forward.tape.state_len;
        forward.tape.cells[..len].par_chunks_mut(PIECE).for_each(|piece| {
            piece.fill(MaybeUninit::new(0.0));
        });
        in_mode!(model.shape, |_N, P| forward::start::<P>(model, starts, &mut forward.acts));
        Ok(())
    }

    fn advance(&self, tape: &mut Tape<Self>, t: usize) -> Result<(), WorkloadError> {
        let len = tape.state_len;
        let (done, free) = tape.cells.split_at_mut((t + 1) * len);
        let pieces = free[..len].par_chunks_mut(PIECE).zip(done[t * len..].par_chunks(PIECE));
        pieces.for_each(|(to, from)| to.copy_from_slice(from));
        Ok(())
    }

    fn wait(&self) -> Result<(), WorkloadError> {
        Ok(())
    }

    fn cell(
        model: &Model<Self>,
        acts: &mut Activations<Self>,
        t: usize,
    ) -> Result<(), WorkloadError> {
        in_mode!(model.shape, |N, _P| forward::cell::<N>(model, acts, t));
        Ok(())
    }

    fn turn(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        from: Option<usize>,
    ) -> Result<(), WorkloadError> {
        in_mode!(model.shape, |N, P| forward::turn::<N, P>(model, forward, from));
        Ok(())
    }

    fn read_out(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
    ) -> Result<(), WorkloadError> {
        in_mode!(model.shape, |N, P| forward::read_out::<N, P>(model, batch, forward));
        Ok(())
    }

    fn leave(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        scale: &LossScale<Self>,
        work: &mut Workspace<Self>,
    ) -> Result<(), WorkloadError> {
        let experts = model.layout.readout.len();
        grads.values.fill(0.0);
        grads.reached.fill(0);
        grads.reached[0] = 1;
        for slot in &forward.slots {
            grads.reached[1 + *slot as usize % experts] = 1;
        }
        let scale = scale.state[0];
        in_mode!(model.shape, |N, _P| {
            backward::leave::<N>(model, batch, forward, &mut grads.values, scale, work)
        });
        Ok(())
    }

    fn turn_back(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        work: &mut Workspace<Self>,
        from: Option<usize>,
    ) -> Result<(), WorkloadError> {
        in_mode!(model.shape, |N, P| backward::turn_back::<N, P>(model, forward, work, from));
        Ok(())
    }

    fn cell_back(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        work: &mut Workspace<Self>,
        t: usize,
    ) -> Result<(), WorkloadError> {
        let len = model.shape.batch * 4 * model.shape.slot_dim;
        model.main_cell().input_gradients(
            &forward.acts.gates[t * len..(t + 1) * len],
            &mut work.d_x,
            &mut work.d_before,
        );
        Ok(())
    }

    fn collect(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        work: &mut Workspace<Self>,
    ) -> Result<(), WorkloadError> {
        in_mode!(model.shape, |N, P| {
            backward::collect::<N, P>(model, forward, &mut grads.values, work)
        });
        Ok(())
    }

    fn unsense(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        work: &mut Workspace<Self>,
    ) -> Result<(), WorkloadError> {
        in_mode!(model.shape, |N, _P| {
            backward::unsense::<N>(model, batch, &mut forward.acts, &mut grads.values, work)
        });
        Ok(())
    }

    fn update(
        model: &mut Model<Self>,
        grads: &mut Gradients<Self>,
        adam: &mut Adam<Self>,
        scale: &mut LossScale<Self>,
    ) -> Result<(), WorkloadError> {
        let nan = grads.values.iter().any(|g| g.is_nan());
        let inf = grads.values.iter().any(|g| g.is_infinite());
        grads.found.copy_from_slice(&[u32::from(nan), u32::from(inf)]);
        let finite = !nan && !inf;
        adam.unscale[0] = scale.state[0].recip();
        if scale.dynamic {
            let state = loss_scale::next([scale.state[0], scale.state[1]], finite);
            scale.state.copy_from_slice(&state);
        }
        if !finite {
            return Ok(());
        }
        adam.counts.iter_mut().zip(&grads.reached).for_each(|(n, r)| *n += i32::from(*r != 0));
        for entry in &model.layout.entries {
            let Some(group) = entry.group.filter(|g| grads.reached[*g] != 0) else { continue };
            let at = entry.range.clone();
            adam::update(
                (
                    &mut model.weights[at.clone()],
                    &mut adam.first[at.clone()],
                    &mut adam.second[at.clone()],
                ),
                &grads.values[at],
                (adam.lr, adam.counts[group], adam.unscale[0]),
            );
        }
        Ok(())
    }
}

impl Model<Host> {
    /// The weights that matrix products use.
    fn product_weights(&self) -> &[f32] {
        self.rounded.as_deref().unwrap_or(&self.weights)
    }

    fn main_cell(&self) -> Cell<'_> {
        Cell::new(self.product_weights(), &self.layout.gru, self.shape.slot_dim)
    }

    fn sensory_cell(&self) -> Cell<'_> {
        Cell::new(self.product_weights(), &self.layout.sensory_gru, self.shape.sensory)
    }

    fn circle<P: Real>(&self) -> Circle<'_, P> {
        Circle::new(
            self.shape.ring_len,
            &self.weights[self.layout.theta_ptr.clone()],
            &self.weights[self.layout.theta_gate.clone()],
        )
    }

    /// How much of what is read reaches the cell.
    fn context_gain(&self) -> f32 {
        sigmoid(self.weights[self.layout.context_logit])
    }
}

impl Tape<Host> {
    /// The state that token `t` read, in place.
    fn borrow(&self, t: usize) -> &[f32] {
        // SAFETY: `range` allows only states that have been written.
        unsafe { self.cells[self.range(t)].assume_init_ref() }
    }

    /// As [`Tape::borrow`], to be changed.
    fn borrow_mut(&mut self, t: usize) -> &mut [f32] {
        let range = self.range(t);
        // SAFETY: `range` allows only states that have been written.
        unsafe { self.cells[range].assume_init_mut() }
    }
}

/// The part of a `[T,...]` buffer that belongs to token `t`, `len` elements each.
fn token<X>(buffer: &[X], t: usize, len: usize) -> &[X] {
    &buffer[t * len..(t + 1) * len]
}

/// As [`token`], to be written.
fn token_mut<X>(buffer: &mut [X], t: usize, len: usize) -> &mut [X] {
    &mut buffer[t * len..(t + 1) * len]
}

/// Parts `t` (to be read) and `t + 1` (to be written): the states before and after token `t`.
fn around<X>(buffer: &mut [X], t: usize, len: usize) -> (&[X], &mut [X]) {
    let (done, rest) = buffer.split_at_mut((t + 1) * len);
    (&done[t * len..], &mut rest[..len])
}
