//! How fast a device copies one ring state.

use std::time::Instant;

use candle_core::Device;

use crate::buffer_spec::{BufferKind, BufferSpec};
use crate::error::WorkloadError;
use crate::memory::context::Context;
use crate::ops::copy::CopyAll;

/// Copies that are timed; the median counts.
const COPIES: usize = 7;

const STATE: BufferSpec = BufferSpec::new(BufferKind::RingState, "a state to copy", &[]);

/// How fast this device copies one ring state, in bytes per second, read and written counted: the
/// rate that the step's floor is taken from. A state has whole elements of four bytes, and one at
/// least.
///
/// # Errors
///
/// [`WorkloadError::OutOfMemory`] if two states of `state_bytes` do not fit,
/// [`WorkloadError::Device`] if the device fails.
pub fn copy_rate(device: &Device, state_bytes: usize) -> Result<f64, WorkloadError> {
    let context = Context::new(device)?;
    let len = (state_bytes / size_of::<f32>()).max(1);
    let from = context.zeros_of::<f32>(&STATE, len)?;
    let mut to = context.zeros_of::<f32>(&STATE, len)?;
    let mut seconds = Vec::new();
    // The first copy warms up.
    for copy in 0..=COPIES {
        let began = Instant::now();
        context.run(CopyAll { from: from.view(), to: to.view_mut(), len })?;
        context.wait()?;
        if copy > 0 {
            seconds.push(began.elapsed().as_secs_f64());
        }
    }
    Ok(rate(len * size_of::<f32>(), &mut seconds))
}

/// Bytes per second of the median of some copies. Each byte of the state is read and written.
fn rate(state_bytes: usize, seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    2.0 * state_bytes as f64 / seconds[seconds.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_read_and_written_and_the_median_copy_counts() {
        let mut seconds = [0.5, 30.0, 0.25, 0.5, 0.001, 0.75, 0.25];
        assert_eq!(rate(3_000_000_000, &mut seconds), 12e9);
    }

    #[test]
    fn a_host_copies() {
        // Not a whole piece, one element, and less than that.
        for bytes in [(4 << 20) + 12, 4, 3, 0] {
            let rate = copy_rate(&Device::Cpu, bytes).unwrap();
            assert!(rate.is_finite() && rate > 0.0, "{bytes} bytes: {rate}");
        }
    }

    #[test]
    fn states_beyond_memory_are_an_error() {
        let error = copy_rate(&Device::Cpu, 1 << 52).unwrap_err();
        assert!(matches!(error, WorkloadError::OutOfMemory { .. }), "{error}");
    }
}
