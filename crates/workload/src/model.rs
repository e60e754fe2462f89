use candle_core::{DType, Device, Tensor};
use rand::Rng;

use crate::batch::check_dims;
use crate::params::Layout;
use crate::shape::Compute;
use crate::{Shape, WorkloadError, memory};

/// OD1's parameters.
#[derive(Debug)]
pub struct Model {
    pub(crate) shape: Shape,
    pub(crate) layout: Layout,
    pub(crate) weights: Vec<f32>,
    /// The weights in the mode's numbers, cast once per step; none in fp32.
    rounded: Option<Vec<f32>>,
}

impl Model {
    /// Fresh parameters, drawn from `rng` as the model's description says.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the parameters do not fit, [`WorkloadError::Device`] for
    /// a device without an implementation.
    pub fn new(shape: Shape, rng: &mut impl Rng, device: &Device) -> Result<Self, WorkloadError> {
        if !device.is_cpu() {
            return Err(WorkloadError::Device(format!("{:?}", device.location())));
        }
        let layout = Layout::new(&shape);
        let weights = layout.draw(rng)?;
        let rounded = match shape.compute {
            Compute::Fp32 => None,
            Compute::Fp16 | Compute::Bf16 => {
                Some(memory::zeroed("the half-precision weights", weights.len())?)
            }
        };
        Ok(Self { shape, layout, weights, rounded })
    }

    /// The sizes of this model's step.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Every parameter by name, in the order of the layout, as `f32` tensors on the CPU.
    ///
    /// # Errors
    ///
    /// If candle refuses a tensor.
    pub fn parameters(&self) -> Result<Vec<(String, Tensor)>, WorkloadError> {
        named(&self.layout, &self.weights)
    }

    /// Replaces one parameter.
    ///
    /// # Errors
    ///
    /// If the model has no parameter of this name, or one of another shape.
    pub fn set_parameter(&mut self, name: &str, value: &Tensor) -> Result<(), WorkloadError> {
        let Some(entry) = self.layout.entries.iter().find(|e| e.name == name) else {
            return Err(WorkloadError::Tensor {
                name: name.to_owned(),
                expected: "a parameter of this model".to_owned(),
                found: "no such name".to_owned(),
            });
        };
        check_dims(name, value, &entry.dims)?;
        let value = value.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        self.weights[entry.range.clone()].copy_from_slice(&value);
        Ok(())
    }

    /// Casts the weights for a step in half precision.
    pub(crate) fn cast_weights(&mut self) {
        if let Some(rounded) = &mut self.rounded {
            rounded.copy_from_slice(&self.weights);
            self.shape.compute.round_all(rounded);
        }
    }

    /// The weights that matrix products use.
    pub(crate) fn product_weights(&self) -> &[f32] {
        self.rounded.as_deref().unwrap_or(&self.weights)
    }
}

/// A flat buffer's entries as tensors.
pub(crate) fn named(layout: &Layout, flat: &[f32]) -> Result<Vec<(String, Tensor)>, WorkloadError> {
    layout
        .entries
        .iter()
        .map(|e| {
            let values = flat[e.range.clone()].to_vec();
            Ok((e.name.clone(), Tensor::from_vec(values, e.dims.as_slice(), &Device::Cpu)?))
        })
        .collect()
}
