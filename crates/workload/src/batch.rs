use candle_core::{DType, Tensor};
use rand::Rng;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::shape::CLASSES;
use crate::{Shape, WorkloadError, memory};

/// Inputs `x [B,T,1]` and labels `y [B]` of a step.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Token-major, `[T,B]`, as the token loop reads them, in the mode's numbers.
    pub(crate) x: Vec<f32>,
    pub(crate) labels: Vec<usize>,
}

impl Batch {
    /// A probe's inputs: `x ~ N(0,1)`, `y` uniform over the classes.
    pub(crate) fn draw(shape: &Shape, rng: &mut impl Rng) -> Result<Self, WorkloadError> {
        let mut x = memory::zeroed("the inputs", shape.tokens())?;
        x.fill_with(|| StandardNormal.sample(rng));
        shape.compute.round_all(&mut x);
        let mut labels = memory::zeroed("the labels", shape.batch)?;
        labels.fill_with(|| rng.random_range(0..CLASSES));
        Ok(Self { x, labels })
    }

    /// Inputs from tensors: `x` of `[B,T,1]`, `y` of `[B]` with classes below [`CLASSES`].
    ///
    /// # Errors
    ///
    /// A tensor of another shape, or a label that is no class.
    pub fn new(shape: &Shape, x: &Tensor, y: &Tensor) -> Result<Self, WorkloadError> {
        check_dims("x", x, &[shape.batch, shape.synth_len, 1])?;
        check_dims("y", y, &[shape.batch])?;
        let mut x = x.to_dtype(DType::F32)?.squeeze(2)?.t()?.flatten_all()?.to_vec1()?;
        shape.compute.round_all(&mut x);
        let labels = y.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        let labels = labels
            .into_iter()
            .map(|label| match usize::try_from(label) {
                Ok(class) if class < CLASSES => Ok(class),
                _ => Err(WorkloadError::Tensor {
                    name: "y".to_owned(),
                    expected: format!("classes 0..{CLASSES}"),
                    found: label.to_string(),
                }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { x, labels })
    }
}

/// Where each sample's pointer starts, in `[0,1)`.
pub(crate) fn draw_starts(shape: &Shape, rng: &mut impl Rng) -> Vec<f64> {
    (0..shape.batch).map(|_| rng.random()).collect()
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
