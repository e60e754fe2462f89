use candle_core::{DType, Device, Tensor};
use rand::Rng;

use crate::backend::Stages;
use crate::batch::check_dims;
use crate::item::{Class, Item, dims};
use crate::params::Layout;
use crate::shape::Compute;
use crate::{Backend, Shape, WorkloadError, memory};

/// OD1's parameters.
#[derive(Debug)]
pub struct Model<B: Backend> {
    pub(crate) backend: B,
    pub(crate) shape: Shape,
    pub(crate) layout: Layout,
    pub(crate) weights: B::Buf<f32>,
    /// The weights in the mode's numbers, cast once per step; none in fp32.
    pub(crate) rounded: Option<B::Buf<B::Half>>,
}

const WEIGHTS: Item = Item::new(Class::Weights, "weights", &[dims::P]);
const ROUNDED: Item = Item::new(Class::HalfWeights, "weights in half precision", &[dims::P]);

impl<B: Stages> Model<B> {
    /// Fresh parameters, drawn from `rng` as the model's description says.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the parameters do not fit, [`WorkloadError::Device`] if
    /// the device fails.
    pub fn new(shape: Shape, rng: &mut impl Rng, backend: &B) -> Result<Self, WorkloadError> {
        let layout = Layout::new(&shape);
        let weights = backend.upload(&WEIGHTS, &shape, || {
            let mut values = memory::zeroed(WEIGHTS.name, shape.parameters())?;
            layout.draw(&mut values, rng);
            Ok(values)
        })?;
        let rounded = match shape.compute {
            Compute::Fp32 => None,
            Compute::Fp16 | Compute::Bf16 => Some(backend.zeroed(&ROUNDED, &shape)?),
        };
        Ok(Self { backend: backend.clone(), shape, layout, weights, rounded })
    }

    /// The sizes of this model's step.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Every parameter by name, in the order of the layout, as `f32` tensors on the CPU.
    ///
    /// # Errors
    ///
    /// If the device does not give them out or candle refuses a tensor.
    pub fn parameters(&self) -> Result<Vec<(String, Tensor)>, WorkloadError> {
        let values = self.backend.read(&self.weights, 0..self.shape.parameters())?;
        named(&self.layout, &values)
    }

    /// Replaces one parameter.
    ///
    /// # Errors
    ///
    /// If the model has no parameter of this name, or one of another shape, or if the device does
    /// not take it.
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
        self.backend.write(&mut self.weights, entry.range.start, &value)
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

#[cfg(test)]
mod tests {
    use vram_presets::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};

    use super::*;

    fn shape(slot_dim: u64, out_dim: u64) -> Shape {
        let (ptr_dtype, precision) = (PtrDtype::Fp64, Precision::Fp32);
        let ant = AntSpec { ring_len: 12, slot_dim, ptr_dtype, precision };
        let colony = ColonySpec {
            batch_size: 1,
            ptr_update_every: 1,
            seq_len: 1,
            state_loop_samples: 0,
            synth_len: 1,
        };
        Shape::new(&WorkloadSpec::new(ant, colony), out_dim, false).unwrap()
    }

    #[test]
    fn the_layout_fills_the_parameters_exactly() {
        for (slot_dim, out_dim) in [(8, 1), (24, 1), (33, 5)] {
            let shape = shape(slot_dim, out_dim);
            let last = Layout::new(&shape).entries.last().unwrap().range.end;
            assert_eq!(last, shape.parameters(), "slot_dim {slot_dim}, out_dim {out_dim}");
        }
    }
}
