//! Adam, in one pass over all parameters.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use candle_nn::Optimizer;

use super::gradients::GradientFlags;
use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::device_kind::DeviceKind;
use crate::error::WorkloadError;
use crate::extent::names::{N, P, THREE};
use crate::memory::buffer::{Buffer, TensorRead};
use crate::memory::context::Context;
use crate::ops::adam::AdamUpdate;

/// Adam (Kingma and Ba 2015) without weight decay, betas 0.9 and 0.999, eps 1e-8, in one pass over
/// all parameters and with a step count for each: one that got no gradient in a step keeps its
/// moments and its count. (candle-nn's AdamW counts for all at once, and allocates some fifteen
/// temporaries a parameter.)
///
/// As an [`Optimizer`], whose configuration is the learning rate, it updates every variable that
/// has an entry in the store. [`Adam::step_where`] takes also what a store cannot say.
#[derive(Debug)]
pub struct Adam {
    context: Context,
    vars: Vec<Var>,
    lr: f64,
    first: Buffer<f32>,
    second: Buffer<f32>,
    counts: Buffer<u32>,
    /// On a card: where the variables and their gradients lie.
    places: Option<Buffer<u64>>,
    elements: usize,
}

const FIRST: BufferSpec = BufferSpec::new(BufferKind::Optimizer, "first moments", &[P]);
const SECOND: BufferSpec = BufferSpec::new(BufferKind::Optimizer, "second moments", &[P]);
const COUNTS: BufferSpec = BufferSpec::new(BufferKind::Optimizer, "update counts", &[N]);
const PLACES: BufferSpec =
    BufferSpec::new(BufferKind::Table, "places of parameters and gradients", &[THREE, N]);

impl Adam {
    pub(crate) fn in_context(
        vars: Vec<Var>,
        lr: f64,
        context: &Context,
    ) -> Result<Self, WorkloadError> {
        for (i, var) in vars.iter().enumerate() {
            if var.dtype() != DType::F32 || !var.is_contiguous() {
                return Err(WorkloadError::Tensor {
                    name: format!("variable {i}"),
                    expected: "f32 in contiguous memory".to_owned(),
                    found: format!("{} with strides {:?}", var.dtype().as_str(), var.stride()),
                });
            }
        }
        let elements = vars.iter().map(|var| var.elem_count()).sum();
        let moments = |spec: &BufferSpec| context.zeros_of::<f32>(spec, elements);
        let (first, second) = (moments(&FIRST)?, moments(&SECOND)?);
        let counts = context.zeros_of(&COUNTS, vars.len())?;
        let places = match context.kind() {
            DeviceKind::Cpu => None,
            DeviceKind::Cuda => Some(context.zeros_of(&PLACES, 3 * vars.len())?),
        };
        let context = context.clone();
        Ok(Self { context, vars, lr, first, second, counts, places, elements })
    }

    /// Updates the variables whose gradients are in `grads` and, where `flags` knows more, which
    /// backward reached; none if a gradient was not finite. Nothing waits for the device.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Tensor`] for a gradient of another type or size than its variable,
    /// [`WorkloadError::Device`] if the device fails.
    pub fn step_where(
        &mut self,
        grads: &GradStore,
        flags: Option<&GradientFlags>,
    ) -> Result<(), WorkloadError> {
        let kept: Vec<Option<Tensor>> =
            self.vars.iter().map(|var| gradient(var, grads)).collect::<Result<_, _>>()?;
        let lock = |tensor| TensorRead::new("a gradient", tensor);
        let grads: Vec<Option<TensorRead>> =
            kept.iter().map(|g| g.as_ref().map(lock).transpose()).collect::<Result<_, _>>()?;
        if let Some(places) = &mut self.places {
            let mut table = Vec::with_capacity(3 * self.vars.len());
            let mut end = 0;
            for (var, grad) in self.vars.iter().zip(&grads) {
                end += var.elem_count() as u64;
                let weight = TensorRead::new("a variable", var)?.view::<f32>()?.address();
                let grad = match grad {
                    Some(grad) => grad.view::<f32>()?.address(),
                    None => 0,
                };
                table.extend([weight, end, grad]);
            }
            self.context.write(places, &table)?;
        }
        let found = flags.map(|f| TensorRead::new("non_finite", &f.non_finite)).transpose()?;
        let reached = flags.and_then(|f| f.reached.as_ref());
        let reached = reached.map(|r| TensorRead::new("reached", r)).transpose()?;
        self.context.run(AdamUpdate {
            vars: &self.vars,
            grads: &grads,
            places: self.places.as_ref().map(Buffer::view),
            first: self.first.view_mut(),
            second: self.second.view_mut(),
            counts: self.counts.view_mut(),
            found: found.as_ref().map(TensorRead::view).transpose()?,
            reached: reached.as_ref().map(TensorRead::view).transpose()?,
            lr: self.lr,
            elements: self.elements,
        })
    }
}

/// The gradient of a variable, contiguous.
fn gradient(var: &Var, grads: &GradStore) -> Result<Option<Tensor>, WorkloadError> {
    let Some(grad) = grads.get(var) else { return Ok(None) };
    if grad.dtype() != DType::F32 || grad.dims() != var.dims() {
        return Err(WorkloadError::Tensor {
            name: "a gradient".to_owned(),
            expected: format!("f32 of shape {:?}", var.dims()),
            found: format!("{} of shape {:?}", grad.dtype().as_str(), grad.dims()),
        });
    }
    Ok(Some(grad.contiguous()?))
}

impl Optimizer for Adam {
    type Config = f64;

    fn new(vars: Vec<Var>, lr: f64) -> candle_core::Result<Self> {
        let vars: Vec<Var> = vars.into_iter().filter(|var| var.dtype().is_float()).collect();
        let device = vars.first().map_or(candle_core::Device::Cpu, |var| var.device().clone());
        let context = Context::new(&device).map_err(candle_core::Error::wrap)?;
        Self::in_context(vars, lr, &context).map_err(candle_core::Error::wrap)
    }

    fn step(&mut self, grads: &GradStore) -> candle_core::Result<()> {
        self.step_where(grads, None).map_err(candle_core::Error::wrap)
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.lr = lr;
    }
}
