//! Threads of the CPU's kernels, and what they hold beside a step.

use crate::ops::gemm;

/// Starts the threads of the CPU's kernels, each with the buffer that the products' library keeps
/// for packing: to be called before a measurement, for what they take is no part of a step.
pub fn start_threads() {
    gemm::warm_up();
    rayon::broadcast(|_| gemm::warm_up());
}

/// Runs `work` on one of the threads of the CPU's kernels: what it hands to the others is begun without
/// waking two, and its own part is done by a thread that does not sleep meanwhile.
pub(crate) fn among_threads<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}
