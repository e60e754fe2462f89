//! Inputs of a step: samples, labels and where the pointers start.

use candle_core::{DType, Device, Tensor};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::names::{B, T};
use crate::memory::context::Context;
use crate::memory::host;
use crate::memory::log::AllocationGuard;
use crate::shape::{CLASSES, Shape};
use crate::tensor_check::check;

/// Inputs `x [B,T,1]` in f32 and labels `y [B]` in u32 of a step, on its device.
#[derive(Debug)]
pub struct Batch {
    pub(crate) x: Tensor,
    pub(crate) y: Tensor,
    _live: [Option<AllocationGuard>; 2],
}

const INPUTS: BufferSpec = BufferSpec::new(BufferKind::Inputs, "inputs", &[B, T]);
const LABELS: BufferSpec = BufferSpec::new(BufferKind::Inputs, "labels", &[B]);
/// Gone before forward ends.
const STARTS: BufferSpec = BufferSpec::new(BufferKind::Inputs, "starts", &[B]);

impl Batch {
    /// The tensors are kept, not copied; the labels are read back once, to be checked.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Tensor`]: a tensor of another shape or type, or a label that is no class.
    pub fn new(shape: &Shape, x: &Tensor, y: &Tensor) -> Result<Self, WorkloadError> {
        let batch = Self { x: x.clone(), y: y.clone(), _live: [None, None] };
        batch.check(shape, x.device())?;
        let labels = y.to_vec1::<u32>()?;
        if let Some(wrong) = labels.into_iter().find(|label| *label as usize >= CLASSES) {
            return Err(WorkloadError::Tensor {
                name: "y".to_owned(),
                expected: format!("classes 0..{CLASSES}"),
                found: wrong.to_string(),
            });
        }
        Ok(batch)
    }

    /// Whether this is a batch of `shape` on `device`.
    pub(crate) fn check(&self, shape: &Shape, device: &Device) -> Result<(), WorkloadError> {
        check("x", &self.x, &[shape.batch, shape.synth_len, 1], DType::F32, device)?;
        check("y", &self.y, &[shape.batch], DType::U32, device)
    }

    /// A probe's inputs: `x ~ N(0,1)`, `y` uniform over the classes.
    pub(crate) fn draw(
        shape: &Shape,
        rng: &mut impl Rng,
        context: &Context,
    ) -> Result<Self, WorkloadError> {
        let dims = [shape.batch, shape.synth_len, 1];
        let (x, x_live) = context.tensor::<f32>(&INPUTS, shape, &dims, || {
            let mut x = host::zeroed(INPUTS.name, shape.tokens())?;
            x.fill_with(|| StandardNormal.sample(rng));
            Ok(x)
        })?;
        let (y, y_live) = context.tensor::<u32>(&LABELS, shape, &dims[..1], || {
            let mut labels = host::zeroed(LABELS.name, shape.batch)?;
            labels.fill_with(|| rng.random_range(0..CLASSES as u32));
            Ok(labels)
        })?;
        Ok(Self { x, y, _live: [x_live, y_live] })
    }
}

/// Where each sample's pointer starts, in `[0,1)`.
pub(crate) struct Starts {
    pub(crate) units: Tensor,
    _live: Option<AllocationGuard>,
}

impl Starts {
    pub(crate) fn draw(
        shape: &Shape,
        rng: &mut impl Rng,
        context: &Context,
    ) -> Result<Self, WorkloadError> {
        let (units, live) = context.tensor::<f64>(&STARTS, shape, &[shape.batch], || {
            let mut units = host::zeroed(STARTS.name, shape.batch)?;
            units.fill_with(|| rng.random());
            Ok(units)
        })?;
        Ok(Self { units, _live: live })
    }
}
