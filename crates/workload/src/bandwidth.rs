use std::time::Instant;

use crate::{Backend, Tape, WorkloadError};

/// Copies that are timed; the median counts.
const COPIES: usize = 7;

/// How fast this device copies one ring state into the next, in bytes per second, read and written
/// counted: the rate that the step's floor is taken from, measured with the step's own copy.
///
/// # Errors
///
/// [`WorkloadError::OutOfMemory`] if two states of `state_bytes` do not fit,
/// [`WorkloadError::Device`] if the device fails.
pub fn copy_rate<B: Backend>(backend: &B, state_bytes: usize) -> Result<f64, WorkloadError> {
    let mut tape = Tape::of(backend, state_bytes / size_of::<f32>(), 2)?;
    let piece = vec![1.0; tape.state_len.min(1 << 20)];
    for at in (0..tape.state_len).step_by(piece.len()) {
        let len = piece.len().min(tape.state_len - at);
        backend.write_cells(&mut tape.cells, at, &piece[..len])?;
    }
    // The first copy touches the pages.
    backend.advance(&mut tape, 0)?;
    backend.wait()?;
    let mut seconds = Vec::new();
    for _ in 0..COPIES {
        let began = Instant::now();
        backend.advance(&mut tape, 0)?;
        backend.wait()?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(2.0 * (tape.state_len * size_of::<f32>()) as f64 / seconds[COPIES / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Host;

    #[test]
    fn a_rate_is_a_rate() {
        let rate = copy_rate(&Host, 3 << 20).unwrap();
        assert!(rate.is_finite() && rate > 0.0);
    }
}
