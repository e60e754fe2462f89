//! Gradients of a fused step, written as one buffer and handed out as a `GradStore`.

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::extent::names::{N, P, TWO};
use crate::memory::buffer::Buffer;
use crate::memory::context::Context;
use crate::memory::log::AllocationGuard;
use crate::model::od1::Od1;
use crate::parameters::Reached;

/// Gradients of one step.
#[derive(Debug)]
pub struct Gradients {
    /// By parameter, unscaled, for any optimizer of candle's. A readout head that no sample was
    /// routed to has gradients of zero here: which those are is known on the device alone, and a
    /// step does not wait for it.
    pub store: GradStore,
    /// What the store has no room for.
    pub flags: GradientFlags,
    pub(crate) _live: [Option<AllocationGuard>; 4],
}

/// What is known of a step's gradients on its device: [`Adam::step_where`](crate::step::adam::Adam::step_where)
/// takes it.
#[derive(Debug, Clone)]
pub struct GradientFlags {
    /// `[2]` in u32: 1 where some gradient was NaN, and where some was infinite.
    pub non_finite: Tensor,
    /// `[N]` in u32, in the order of [`Od1::vars`]: 1 where backward reached the parameter. None
    /// where the store holds just those.
    pub reached: Option<Tensor>,
}

/// The gradients while kernels write them: one flat buffer in the order of the parameters.
#[derive(Debug)]
pub(crate) struct FlatGradients {
    pub(crate) values: Buffer<f32>,
    pub(crate) reached: Buffer<u32>,
    pub(crate) found: Buffer<u32>,
}

const VALUES: BufferSpec = BufferSpec::new(BufferKind::Gradients, "gradients", &[P]);
const REACHED: BufferSpec = BufferSpec::new(BufferKind::Gradients, "parameters reached", &[N]);
const FOUND: BufferSpec = BufferSpec::new(BufferKind::Gradients, "non-finite found", &[TWO]);

/// On the CPU the allocator sees what candle keeps of a tensor beside its values.
const TENSORS: BufferSpec = BufferSpec::new(BufferKind::Table, "tensors of gradients", &[N]);
/// Bytes of a gradient's tensor and of its place in the store, as measured.
const TENSOR_BYTES: usize = 190;

impl FlatGradients {
    /// Zeroed gradients of `model`; what every step reaches is marked, what none does is not.
    pub(crate) fn new(context: &Context, model: &Od1) -> Result<Self, WorkloadError> {
        let shape = model.shape();
        let reached = || {
            let always = model.parameters().iter().map(|p| u32::from(p.reached == Reached::Always));
            Ok(always.collect())
        };
        Ok(Self {
            values: context.zeros(&VALUES, shape)?,
            reached: context.upload(&REACHED, shape, reached)?,
            found: context.zeros(&FOUND, shape)?,
        })
    }

    /// The same memory as tensors, one of each parameter that a step can reach.
    pub(crate) fn into_gradients(
        self,
        context: &Context,
        model: &Od1,
    ) -> Result<Gradients, WorkloadError> {
        let parameters = model.parameters();
        let len = self.values.len();
        let (values, values_live) = self.values.into_tensor(&[len])?;
        let (reached, reached_live) = self.reached.into_tensor(&[parameters.len()])?;
        let (non_finite, found_live) = self.found.into_tensor(&[2])?;
        let mut store = GradStore::default();
        for (parameter, tensor) in parameters.iter().zip(model.tensors()) {
            if parameter.reached != Reached::Never {
                let range = &parameter.range;
                let gradient = values.narrow(0, range.start, range.len())?;
                store.insert(tensor, gradient.reshape(parameter.dims.as_slice())?);
            }
        }
        let flags = GradientFlags { non_finite, reached: Some(reached) };
        let tensors_live = context.log_tensors(&TENSORS, TENSOR_BYTES);
        let _live = [values_live, reached_live, found_live, tensors_live];
        Ok(Gradients { store, flags, _live })
    }
}
