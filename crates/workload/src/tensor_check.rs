//! Whether a tensor of the caller's is the one that is asked for.

use candle_core::{DType, Device, Tensor};

use crate::error::WorkloadError;

/// [`WorkloadError::Tensor`] unless `tensor` has these dimensions and this type and is on `device`.
pub(crate) fn check(
    name: &str,
    tensor: &Tensor,
    dims: &[usize],
    dtype: DType,
    device: &Device,
) -> Result<(), WorkloadError> {
    let place = |device: &Device| format!("{:?}", device.location());
    let (expected, found) = if tensor.dims() != dims {
        (format!("shape {dims:?}"), format!("shape {:?}", tensor.dims()))
    } else if tensor.dtype() != dtype {
        (dtype.as_str().to_owned(), tensor.dtype().as_str().to_owned())
    } else if !tensor.device().same_device(device) {
        match (place(device), place(tensor.device())) {
            // Two handles of one card have streams of their own, which do not wait for each other.
            (expected, found) if expected == found => (expected, format!("another {found}")),
            places => places,
        }
    } else {
        return Ok(());
    };
    Err(WorkloadError::Tensor { name: name.to_owned(), expected, found })
}
