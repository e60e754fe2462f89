//! An NVIDIA card: buffers come from its stream-ordered pool, a stage is a few launches.

mod backward;
mod device;
mod forward;

use std::ops::Range;
use std::sync::Arc;

use cudarc::driver::CudaSlice;
use cudarc::driver::DeviceRepr;

use crate::activations::Activations;
use crate::backend::{Element, Stages};
use crate::backward::Workspace;
use crate::item::Item;
use crate::params::{Gru, Linear};
use crate::{
    Adam, Batch, Forward, Gradients, LossScale, Model, Shape, Tape, WorkloadError, loss_scale,
};
use device::{Device, failed, launch, mode};

/// An NVIDIA card and a stream on it.
#[derive(Debug, Clone)]
pub struct Cuda(Arc<Device>);

/// `Turn` of turn.cu.
#[repr(C)]
struct Turn {
    theta_ptr: u64,
    theta_gate: u64,
    context_logit: u64,
    head_weight: u64,
    head_bias: u64,
    heads: u64,
    pointers: u64,
    hidden: u64,
    bridged: u64,
    tape: u64,
    from: i32,
    tokens: i32,
    batch: i32,
    ring_len: i32,
    slot_dim: i32,
    update_every: i32,
    mode: i32,
}
// SAFETY: plain numbers in C's layout.
unsafe impl DeviceRepr for Turn {}

impl Stages for Cuda {
    type Buf<T: Element> = CudaSlice<T>;
    type Cells = CudaSlice<f32>;
    type Half = u16;
    type Scratch = ();

    fn zeroed<T: Element>(
        &self,
        item: &Item,
        shape: &Shape,
    ) -> Result<CudaSlice<T>, WorkloadError> {
        let mut buffer = self.alloc(item, item.len(shape))?;
        let len = buffer.len();
        self.fill_zero(&mut buffer, 0..len)?;
        Ok(buffer)
    }

    fn upload<T: Element>(
        &self,
        item: &Item,
        shape: &Shape,
        values: impl FnOnce() -> Result<Vec<T>, WorkloadError>,
    ) -> Result<CudaSlice<T>, WorkloadError> {
        let mut buffer = self.alloc(item, item.len(shape))?;
        self.write(&mut buffer, 0, &values()?)?;
        Ok(buffer)
    }

    fn write<T: Element>(
        &self,
        buffer: &mut CudaSlice<T>,
        at: usize,
        values: &[T],
    ) -> Result<(), WorkloadError> {
        let mut view = buffer.slice_mut(at..at + values.len());
        // Pageable memory is staged before the call returns: nothing waits for the card.
        self.0.stream.memcpy_htod(values, &mut view).map_err(failed("copying to the card"))
    }

    fn read<T: Element>(
        &self,
        buffer: &CudaSlice<T>,
        range: Range<usize>,
    ) -> Result<Vec<T>, WorkloadError> {
        let copied = failed("copying from the card");
        let values = self.0.stream.clone_dtoh(&buffer.slice(range)).map_err(&copied)?;
        self.0.stream.synchronize().map_err(copied)?;
        Ok(values)
    }

    fn cells(&self, item: &Item, len: usize) -> Result<CudaSlice<f32>, WorkloadError> {
        self.alloc(item, len)
    }

    fn read_cells(
        &self,
        cells: &CudaSlice<f32>,
        range: Range<usize>,
    ) -> Result<Vec<f32>, WorkloadError> {
        self.read(cells, range)
    }

    fn write_cells(
        &self,
        cells: &mut CudaSlice<f32>,
        at: usize,
        values: &[f32],
    ) -> Result<(), WorkloadError> {
        self.write(cells, at, values)
    }

    fn scratch(&self, _shape: &Shape) -> Result<(), WorkloadError> {
        Ok(())
    }

    fn cast_weights(model: &mut Model<Self>) -> Result<(), WorkloadError> {
        let cuda = &model.backend;
        let Some(rounded) = &model.rounded else { return Ok(()) };
        let kernels = &cuda.0.kernels;
        let fp16 = mode(model.shape.compute) == 1;
        let cast = if fp16 { &kernels.cast_fp16 } else { &kernels.cast_bf16 };
        let len = rounded.len();
        // SAFETY: both buffers hold one element a parameter.
        unsafe {
            launch!(cuda, cast, (len.div_ceil(256), 1), 256;
                cuda.at(&model.weights, 0), cuda.at(rounded, 0), len as i64)
        }
    }

    fn sense(
        model: &Model<Self>,
        batch: &Batch<Self>,
        acts: &mut Activations<Self>,
    ) -> Result<(), WorkloadError> {
        forward::sense(model, batch, acts)
    }

    fn start(
        model: &Model<Self>,
        starts: &CudaSlice<f64>,
        forward: &mut Forward<Self>,
    ) -> Result<(), WorkloadError> {
        forward::start(model, starts, forward)
    }

    fn advance(&self, tape: &mut Tape<Self>, t: usize) -> Result<(), WorkloadError> {
        forward::advance(self, tape, t)
    }

    fn wait(&self) -> Result<(), WorkloadError> {
        let waited = failed("waiting for the card");
        self.0.copies.synchronize().map_err(&waited)?;
        self.0.stream.synchronize().map_err(waited)
    }

    fn cell(
        model: &Model<Self>,
        acts: &mut Activations<Self>,
        t: usize,
    ) -> Result<(), WorkloadError> {
        forward::cell(model, acts, t)
    }

    fn turn(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        from: Option<usize>,
    ) -> Result<(), WorkloadError> {
        forward::turn(model, forward, from)
    }

    fn read_out(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
    ) -> Result<(), WorkloadError> {
        forward::read_out(model, batch, forward)
    }

    fn leave(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        scale: &LossScale<Self>,
        work: &mut Workspace<Self>,
    ) -> Result<(), WorkloadError> {
        backward::leave(model, batch, forward, grads, scale, work)
    }

    fn turn_back(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        work: &mut Workspace<Self>,
        from: Option<usize>,
    ) -> Result<(), WorkloadError> {
        backward::turn_back(model, forward, work, from)
    }

    fn cell_back(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        work: &mut Workspace<Self>,
        t: usize,
    ) -> Result<(), WorkloadError> {
        backward::cell_back(model, forward, work, t)
    }

    fn collect(
        model: &Model<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        work: &mut Workspace<Self>,
    ) -> Result<(), WorkloadError> {
        backward::collect(model, forward, grads, work)
    }

    fn unsense(
        model: &Model<Self>,
        batch: &Batch<Self>,
        forward: &mut Forward<Self>,
        grads: &mut Gradients<Self>,
        work: &mut Workspace<Self>,
    ) -> Result<(), WorkloadError> {
        backward::unsense(model, batch, &mut forward.acts, grads, work)
    }

    fn update(
        model: &mut Model<Self>,
        grads: &mut Gradients<Self>,
        adam: &mut Adam<Self>,
        scale: &mut LossScale<Self>,
    ) -> Result<(), WorkloadError> {
        let (cuda, layout) = (model.backend.clone(), &model.layout);
        let kernels = &cuda.0.kernels;
        let (len, groups) = (model.shape.parameters(), layout.groups());
        cuda.fill_zero(&mut grads.found, 0..2)?;
        let experts_at = layout.readout[0].weight.start;
        let expert_len = (len - experts_at) / layout.readout.len();
        // SAFETY: flat buffers hold one element a parameter, group buffers one a group.
        unsafe {
            launch!(cuda, &kernels.check, (len.div_ceil(256).min(1024), 1), 256;
                cuda.at(&grads.values, 0), cuda.at(&grads.found, 0), len as i64)?;
            launch!(cuda, &kernels.prepare, (1, 1), 256;
                cuda.at(&grads.found, 0), cuda.at(&grads.reached, 0), cuda.at(&adam.counts, 0),
                cuda.at(&scale.state, 0), cuda.at(&adam.unscale, 0), groups as i32,
                i32::from(scale.dynamic), loss_scale::GROWTH_INTERVAL as i32)?;
            launch!(cuda, &kernels.adam, (len.div_ceil(256), 1), 256;
                cuda.at(&model.weights, 0), cuda.at(&adam.first, 0), cuda.at(&adam.second, 0),
                cuda.at(&grads.values, 0), cuda.at(&grads.found, 0), cuda.at(&grads.reached, 0),
                cuda.at(&adam.counts, 0), cuda.at(&adam.unscale, 0), adam.lr,
                layout.idle().start as i64, layout.idle().end as i64, experts_at as i64,
                expert_len as i64, len as i64)
        }
    }
}

/// Addresses of a recurrent cell's weights as the products take them.
struct Cell {
    weight_ih: u64,
    weight_hh: u64,
    bias_ih: u64,
    bias_hh: u64,
}

/// A matrix in memory: address, and elements between rows and between columns.
#[derive(Clone, Copy)]
struct Mat {
    at: u64,
    row: usize,
    col: usize,
}

impl Mat {
    fn new(at: u64, stride: usize) -> Self {
        Self { at, row: stride, col: 1 }
    }

    fn t(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }
}

/// What a matrix product does with its result: `Epilogue` of matmul.cu.
#[derive(Clone, Copy)]
enum Epilogue {
    Write = 0,
    Add = 1,
    Tanh = 2,
}

impl Model<Cuda> {
    /// Address of parameter `at` as products take it.
    fn product_weight(&self, at: usize) -> u64 {
        match &self.rounded {
            Some(rounded) => self.backend.at(rounded, at),
            None => self.weight(at),
        }
    }

    fn weight(&self, at: usize) -> u64 {
        self.backend.at(&self.weights, at)
    }

    fn cell_weights(&self, gru: &Gru) -> Cell {
        Cell {
            weight_ih: self.product_weight(gru.weight_ih.start),
            weight_hh: self.product_weight(gru.weight_hh.start),
            bias_ih: self.product_weight(gru.bias_ih.start),
            bias_hh: self.product_weight(gru.bias_hh.start),
        }
    }

    /// Gradients of a linear layer, weight `[O,I]` and bias `[O]`, from all `rows` tokens:
    /// `dy [N,O]` with rows `stride` apart, `x [N,I]`; added to the ranges' gradients.
    ///
    /// # Safety
    ///
    /// The addresses hold matrices of these sizes.
    unsafe fn weight_gradients(
        &self,
        grads: &CudaSlice<f32>,
        (weight, bias): (usize, usize),
        (dy, stride, outputs): (u64, usize, usize),
        (x, inputs): (u64, usize),
        rows: usize,
    ) -> Result<(), WorkloadError> {
        let cuda = &self.backend;
        let (a, b) = (Mat::new(dy, stride).t(), Mat::new(x, inputs));
        let function = cuda.0.kernels.matmul(crate::Compute::Fp32);
        // SAFETY: the caller's.
        unsafe {
            launch!(cuda, function, (outputs.div_ceil(64), inputs.div_ceil(64)), 256;
                a.at, a.row as i64, a.col as i64, b.at, b.row as i64, b.col as i64,
                cuda.at(grads, weight), 0u64, cuda.at(grads, bias), outputs as i32, inputs as i32,
                rows as i32, Epilogue::Add as i32, 0i32)
        }
    }

    /// `c [N,n]` from `a [N,k]` and a matrix `[k,n]` of the rounded weights.
    ///
    /// # Safety
    ///
    /// The addresses hold matrices of these sizes.
    unsafe fn weighted(
        &self,
        (a, b, c): (u64, Mat, u64),
        bias: u64,
        (m, n, k): (usize, usize, usize),
        epilogue: Epilogue,
    ) -> Result<(), WorkloadError> {
        let cuda = &self.backend;
        let function = cuda.0.kernels.matmul(self.shape.compute);
        let a = Mat::new(a, k);
        // SAFETY: the caller's.
        unsafe {
            launch!(cuda, function, (m.div_ceil(64), n.div_ceil(64)), 256;
                a.at, a.row as i64, a.col as i64, b.at, b.row as i64, b.col as i64, c, bias, 0u64,
                m as i32, n as i32, k as i32, epilogue as i32, mode(self.shape.compute))
        }
    }

    /// `y = tanh(x W^T + b)` for all tokens.
    ///
    /// # Safety
    ///
    /// `x` and `y` hold one row a token.
    unsafe fn linear_tanh(&self, at: &Linear, x: u64, y: u64) -> Result<(), WorkloadError> {
        let outputs = at.bias.len();
        let inputs = at.weight.len() / outputs;
        let weight = Mat::new(self.product_weight(at.weight.start), inputs).t();
        let bias = self.product_weight(at.bias.start);
        let sizes = (self.shape.tokens(), outputs, inputs);
        // SAFETY: the caller's, and the layout's.
        unsafe { self.weighted((x, weight, y), bias, sizes, Epilogue::Tanh) }
    }

    /// Threads for one sample's row.
    fn row_threads(&self) -> usize {
        (self.shape.slot_dim.div_ceil(32) * 32).min(512)
    }

    fn turn_arguments(&self, forward: &Forward<Cuda>, from: Option<usize>) -> Turn {
        let (cuda, shape, layout, acts) = (&self.backend, &self.shape, &self.layout, &forward.acts);
        Turn {
            theta_ptr: self.weight(layout.theta_ptr.start),
            theta_gate: self.weight(layout.theta_gate.start),
            context_logit: self.weight(layout.context_logit),
            head_weight: self.weight(layout.heads.weight.start),
            head_bias: self.weight(layout.heads.bias.start),
            heads: cuda.at(&acts.heads, 0),
            pointers: cuda.at(&acts.pointers, 0),
            hidden: cuda.at(&acts.hidden, 0),
            bridged: cuda.at(&acts.bridged, 0),
            tape: cuda.at(&forward.tape.cells, 0),
            from: from.map_or(-1, |t| t as i32),
            tokens: shape.synth_len as i32,
            batch: shape.batch as i32,
            ring_len: shape.ring_len as i32,
            slot_dim: shape.slot_dim as i32,
            update_every: i32::try_from(shape.ptr_update_every).unwrap_or(i32::MAX),
            mode: mode(shape.compute),
        }
    }
}
