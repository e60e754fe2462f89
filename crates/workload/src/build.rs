//! What this build's kernels were compiled for and with.

/// The compute capability that the kernels are machine code for, such as `90`; newer cards compile
/// the PTX beside it.
pub const COMPUTE_CAPABILITY: &str = env!("VRAM_COMPUTE_CAP");

/// The CUDA version that the kernels were built with, as the driver counts: 13000 is 13.0.
pub const CUDA_VERSION: &str = env!("VRAM_CUDA_VERSION");

/// Whether the kernels are for this compute capability or a newer one; `80` is 8.0.
pub(crate) fn is_for(capability: u32) -> bool {
    COMPUTE_CAPABILITY.parse().is_ok_and(|built_for: u32| built_for >= capability)
}

/// The first compute capability whose tensor cores take 16 values of half precision at once, and TF32,
/// which has the exponents of bf16 and the mantissas of fp16.
pub(crate) const TENSOR_CORES: u32 = 80;

/// The first compute capability with clusters, whose blocks read each other's shared memory.
pub(crate) const CLUSTERS: u32 = 90;
