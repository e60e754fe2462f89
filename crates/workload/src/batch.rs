use candle_core::{DType, Tensor};
use rand::Rng;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::backend::Stages;
use crate::item::{Class, Item, dims};
use crate::shape::CLASSES;
use crate::{Backend, Shape, WorkloadError, memory};

/// Inputs `x [B,T,1]` and labels `y [B]` of a step.
#[derive(Debug)]
pub struct Batch<B: Backend> {
    /// Token-major, `[T,B]`, as the token loop reads them, in the mode's numbers.
    pub(crate) x: B::Buf<f32>,
    pub(crate) labels: B::Buf<u32>,
}

const INPUTS: Item = Item::new(Class::Inputs, "inputs", &[dims::T, dims::B]);
const LABELS: Item = Item::new(Class::Inputs, "labels", &[dims::B]);

impl<B: Stages> Batch<B> {
    /// A probe's inputs: `x ~ N(0,1)`, `y` uniform over the classes.
    pub(crate) fn draw(
        shape: &Shape,
        rng: &mut impl Rng,
        backend: &B,
    ) -> Result<Self, WorkloadError> {
        let x = backend.upload(&INPUTS, shape, || {
            let mut x = memory::zeroed(INPUTS.name, shape.tokens())?;
            x.fill_with(|| StandardNormal.sample(rng));
            shape.compute.round_all(&mut x);
            Ok(x)
        })?;
        let labels = backend.upload(&LABELS, shape, || {
            let mut labels = memory::zeroed(LABELS.name, shape.batch)?;
            labels.fill_with(|| rng.random_range(0..CLASSES as u32));
            Ok(labels)
        })?;
        Ok(Self { x, labels })
    }

    /// Inputs from tensors: `x` of `[B,T,1]`, `y` of `[B]` with classes below [`CLASSES`].
    ///
    /// # Errors
    ///
    /// A tensor of another shape, a label that is no class, or a device that does not take them.
    pub fn new(shape: &Shape, x: &Tensor, y: &Tensor, backend: &B) -> Result<Self, WorkloadError> {
        check_dims("x", x, &[shape.batch, shape.synth_len, 1])?;
        check_dims("y", y, &[shape.batch])?;
        let mut x = x.to_dtype(DType::F32)?.squeeze(2)?.t()?.flatten_all()?.to_vec1()?;
        let labels = y.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        let labels = labels
            .into_iter()
            .map(|label| match u32::try_from(label) {
                Ok(class) if (class as usize) < CLASSES => Ok(class),
                _ => Err(WorkloadError::Tensor {
                    name: "y".to_owned(),
                    expected: format!("classes 0..{CLASSES}"),
                    found: label.to_string(),
                }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        shape.compute.round_all(&mut x);
        let x = backend.upload(&INPUTS, shape, || Ok(x))?;
        Ok(Self { x, labels: backend.upload(&LABELS, shape, || Ok(labels))? })
    }
}

/// Where each sample's pointer starts, in `[0,1)`.
pub(crate) fn draw_starts(shape: &Shape, rng: &mut impl Rng) -> Result<Vec<f64>, WorkloadError> {
    let mut starts = memory::zeroed("starts of the pointers", shape.batch)?;
    starts.fill_with(|| rng.random());
    Ok(starts)
}

pub(crate) fn check_dims(name: &str, t: &Tensor, dims: &[usize]) -> Result<(), WorkloadError> {
    if t.dims() == dims {
        return Ok(());
    }
    Err(WorkloadError::Tensor {
        name: name.to_owned(),
        expected: format!("shape {dims:?}"),
        found: format!("shape {:?}", t.dims()),
    })
}
