use vram_presets::{Precision, PtrDtype};

use crate::shape::MOST_HEADS;

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

    /// The spec asks for the state loop, which this workload does not have.
    #[error("state_loop_samples {0} is not supported: the state loop is not part of OD1, use 0")]
    StateLoop(u64),

    /// A size that must be at least one.
    #[error("{name} must be at least 1")]
    Zero {
        /// The size's name in the spec.
        name: &'static str,
    },

    /// More readout heads than any step has.
    #[error("{heads} readout heads are more than the {MOST_HEADS} that a step can have")]
    TooManyHeads {
        /// The number that was asked for.
        heads: u64,
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

    /// A tensor given by the caller has another name, shape or type than the model's.
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
