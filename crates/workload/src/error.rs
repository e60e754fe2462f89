//! What can go wrong between a spec and a finished training step.

use vram_presets::spec::{Precision, PtrDtype};

/// What can go wrong between a spec and a finished training step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// The precision has a workload id but no way to run here.
    #[error("precision {0} is not runnable: use fp32 with amp 0, or fp16 or bf16 with amp 1")]
    PrecisionNotRunnable(Precision),

    /// Precision and amp contradict each other.
    #[error(
        "precision {precision} with amp {} is not a mode of this workload: \
         fp32 goes with amp 0, fp16 and bf16 go with amp 1",
        u8::from(*.amp)
    )]
    AmpMismatch {
        /// The requested precision.
        precision: Precision,
        /// The requested amp setting.
        amp: bool,
    },

    /// Pointers of this type cannot address a ring.
    #[error("ptr_dtype {0} cannot address a ring (in fp16, 4097 + 1 = 4096): use fp64 or fp32")]
    PointerNotRunnable(PtrDtype),

    /// A size that must be at least one.
    #[error("{name} must be at least 1")]
    Zero {
        /// The size's name in the spec.
        name: &'static str,
    },

    /// More readout heads than any step has.
    #[error("{heads} readout heads are more than the {most} that a step can have")]
    TooManyHeads {
        /// The number that was asked for.
        heads: u64,
        /// The largest that can be had.
        most: u64,
    },

    /// A product of sizes does not fit the address space.
    #[error("{what} does not fit the address space: {factors:?} multiply beyond 2^63 bytes")]
    Overflow {
        /// The buffer whose size overflows.
        what: &'static str,
        /// The factors, in elements, and the element size in bytes.
        factors: Vec<u64>,
    },

    /// An allocation was refused.
    #[error("out of memory: {what} needs {bytes} bytes and they were refused")]
    OutOfMemory {
        /// The buffer that did not fit.
        what: &'static str,
        /// Its size in bytes.
        bytes: u64,
    },

    /// An allocation of candle's own was refused, in an operation of the plain step.
    #[error("out of memory in an operation of candle's, which does not say how much it asked for")]
    CandleOutOfMemory,

    /// The device failed.
    #[error("{operation} failed on the device: {reason}")]
    Device {
        /// What was to be done.
        operation: &'static str,
        /// What the driver said.
        reason: String,
    },

    /// The kernels of this build do not run on the card.
    #[error(
        "this build's kernels are for compute capability {built_for} and newer, the card has \
         {card}: build again with CUDA_COMPUTE_CAP set to the card's"
    )]
    Kernels {
        /// What the kernels were compiled for.
        built_for: String,
        /// What the card has.
        card: String,
    },

    /// A device that this workload has no kernels for.
    #[error(
        "no kernels for {device}: the fused step runs on the CPU and, built with the feature \
         `cuda`, on an NVIDIA card"
    )]
    NoKernels {
        /// The device.
        device: String,
    },

    /// The device works in each thread's own stream.
    #[error(
        "this device works in a stream of each thread's own, in which a second thread's step would \
         race: open it with Device::new_cuda_with_stream"
    )]
    PerThreadStream,

    /// A tensor of the caller's is missing, or has another shape, type or device than the step
    /// takes.
    #[error("tensor {name}: expected {expected}, found {found}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What the model has.
        expected: String,
        /// What was given.
        found: String,
    },

    /// candle refused an operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl WorkloadError {
    /// Whether memory ran out.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. } | Self::CandleOutOfMemory)
    }

    /// What candle says of an operation: out of memory, or as it is.
    pub(crate) fn of_operation(error: candle_core::Error) -> Self {
        if is_oom(&error) { Self::CandleOutOfMemory } else { Self::Candle(error) }
    }

    /// What candle says of an allocation of `bytes` bytes: out of memory, or as it is.
    pub(crate) fn of_allocation(what: &'static str, bytes: u64, error: candle_core::Error) -> Self {
        if is_oom(&error) { Self::OutOfMemory { what, bytes } } else { Self::Candle(error) }
    }
}

/// Whether candle's error is the driver's refusal of memory.
pub(crate) fn is_oom(error: &candle_core::Error) -> bool {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => is_oom(inner),
        #[cfg(feature = "cuda")]
        candle_core::Error::Cuda(error) => {
            use candle_core::cuda_backend::CudaError;
            use candle_core::cuda_backend::cudarc::driver::sys::CUresult;

            matches!(error.downcast_ref(), Some(CudaError::Cuda(driver))
                if driver.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY)
        }
        _ => false,
    }
}
