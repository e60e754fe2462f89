//! What the loss is multiplied with in half precision.

use candle_core::{Device, Tensor, Var};

use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::names::TWO;
use crate::memory::context::Context;
use crate::memory::log::AllocationGuard;
use crate::shape::{Compute, Shape};

/// What the loss is multiplied with before backward, so that small gradients survive fp16.
///
/// The dynamic scale starts at 65536, halves when a gradient is not finite, and doubles after 2000
/// good steps in a row (Micikevicius et al. 2018). It lives on the device: a step neither waits
/// for it nor brings it back.
#[derive(Debug)]
pub struct LossScale {
    /// The scale, and the number of good steps in a row.
    pub(crate) state: Var,
    pub(crate) dynamic: bool,
    _live: Option<AllocationGuard>,
}

const STATE: BufferSpec = BufferSpec::new(BufferKind::Optimizer, "loss scale", &[TWO]);

impl LossScale {
    /// The scale of `shape`'s mode: dynamic in fp16, 1 otherwise.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if eight bytes do not fit.
    pub fn new(shape: &Shape, device: &Device) -> Result<Self, WorkloadError> {
        Self::in_context(shape, device, &Context::new(device)?)
    }

    pub(crate) fn in_context(
        shape: &Shape,
        device: &Device,
        context: &Context,
    ) -> Result<Self, WorkloadError> {
        let dynamic = shape.compute == Compute::Fp16;
        let scale = if dynamic { 65536.0f32 } else { 1.0 };
        let state = Var::from_vec(vec![scale, 0.0], 2, device)
            .map_err(|error| WorkloadError::of_allocation(STATE.name, 8, error))?;
        Ok(Self { state, dynamic, _live: context.log(&STATE, size_of::<f32>()) })
    }

    /// The scale as it is now, `[]` in f32, on its device; none where it is 1 always.
    pub(crate) fn tensor(&self) -> candle_core::Result<Option<Tensor>> {
        self.dynamic.then(|| self.state.as_detached_tensor().get(0)).transpose()
    }

    /// The scale as it is now; waits for the device.
    ///
    /// # Errors
    ///
    /// If the device does not give it out.
    pub fn value(&self) -> Result<f32, WorkloadError> {
        Ok(self.state.to_vec1::<f32>()?[0])
    }
}
