//! The model: its parameters as a `VarBuilder`'s tensors, and its forward.

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;

use super::mode_directions::{self, MODES};
use crate::error::WorkloadError;
use crate::parameters::{self, Parameter};
use crate::shape::Shape;
use crate::tensor_check::check;

/// OD1's parameters, as tensors of a `VarBuilder` on its device.
///
/// Names are `theta_ptr_reduced`, `gru.weight_ih`, `head.single.weight` and so on, as the original
/// model has them: a file that one program saves with `VarMap::save`, another trains on. A clone
/// is the same model: tensors are shared.
#[derive(Debug, Clone)]
pub struct Od1 {
    shape: Shape,
    parameters: Arc<[Parameter]>,
    /// In the order of `parameters`.
    tensors: Arc<[Tensor]>,
    device: Device,
    /// Drawn and carried to the device when a plain step first watches.
    mode_directions: Arc<OnceLock<Tensor>>,
}

impl Od1 {
    /// The model of `shape`. Every parameter is asked for in fp32: half precision is the step's
    /// own, which casts once a step.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Tensor`], with the tensor's name and what was expected: one that is missing
    /// or has another shape, type or device.
    pub fn new(shape: Shape, vb: VarBuilder) -> Result<Self, WorkloadError> {
        let parameters = parameters::list(&shape);
        let device = vb.device().clone();
        let tensors: Result<Vec<Tensor>, _> =
            parameters.iter().map(|parameter| get(parameter, &vb)).collect();
        Ok(Self {
            shape,
            parameters: parameters.into(),
            tensors: tensors?.into(),
            device,
            mode_directions: Arc::default(),
        })
    }

    /// The sizes of this model's step.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Where the parameters are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Every parameter by name, always in the same order.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.parameters.iter().map(|p| p.name.as_str()).zip(self.tensors.iter())
    }

    /// The parameters as variables for an optimizer, always in the same order. (That of
    /// `VarMap::all_vars` changes from run to run, and with it what an allocator reserves.)
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Tensor`] if the `VarBuilder` did not give out variables.
    pub fn vars(&self) -> Result<Vec<Var>, WorkloadError> {
        self.named().map(|(name, tensor)| var(name, tensor)).collect()
    }

    pub(crate) fn parameters(&self) -> &Arc<[Parameter]> {
        &self.parameters
    }

    /// The tensor at a place of [`parameters::at`].
    pub(crate) fn tensor(&self, at: usize) -> &Tensor {
        &self.tensors[at]
    }

    /// The directions that the state loop is watched along: `[D,8]`, fp32.
    pub(crate) fn mode_directions(&self) -> candle_core::Result<&Tensor> {
        if let Some(directions) = self.mode_directions.get() {
            return Ok(directions);
        }
        let dims = (self.shape.slot_dim, MODES);
        let drawn = mode_directions::draw(self.shape.slot_dim);
        let directions = Tensor::from_vec(drawn, dims, &self.device)?;
        Ok(self.mode_directions.get_or_init(|| directions))
    }

    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }
}

fn get(parameter: &Parameter, vb: &VarBuilder) -> Result<Tensor, WorkloadError> {
    let Parameter { name, dims, init, .. } = parameter;
    let tensor = vb.get_with_hints(dims.as_slice(), name, *init).map_err(|error| {
        let (expected, found) = (format!("a tensor of shape {dims:?}"), error.to_string());
        WorkloadError::Tensor { name: name.clone(), expected, found }
    })?;
    check(name, &tensor, dims, DType::F32, vb.device())?;
    Ok(tensor)
}

fn var(name: &str, tensor: &Tensor) -> Result<Var, WorkloadError> {
    if tensor.is_variable() {
        // A variable is handed back as it is, not copied.
        return Ok(Var::from_tensor(tensor)?);
    }
    Err(WorkloadError::Tensor {
        name: name.to_owned(),
        expected: "a variable, as VarBuilder::from_varmap gives out".to_owned(),
        found: "a tensor that no optimizer can change".to_owned(),
    })
}
