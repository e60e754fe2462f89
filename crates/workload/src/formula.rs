//! What every extent and every product of extents comes to, those included that are counted over the
//! parameters, whose dimensions are extents themselves.

use crate::extent::{Extent, SizeParam};
use crate::parameters;
use crate::shape::Shape;

impl Extent {
    /// Its size in a step of `shape`.
    pub fn of(self, shape: &Shape) -> u64 {
        self.direct(shape).unwrap_or_else(|| match self {
            Self::Tensors => parameters::tensors(shape) as u64,
            _ => parameters::elements(shape),
        })
    }

    /// `d ln(extent) / d ln(size)`. Derived extents follow: the sensory width grows with the slot's.
    pub(crate) fn elasticity(self, shape: &Shape, size: SizeParam) -> f64 {
        self.direct_elasticity(shape, size).unwrap_or_else(|| match self {
            Self::Tensors => parameters::tensors_elasticity(shape, size),
            _ => parameters::elements_elasticity(shape, size),
        })
    }
}

/// Elements of a product of extents; none beyond 64 bits.
pub(crate) fn product(extents: &[Extent], shape: &Shape) -> Option<u64> {
    extents.iter().try_fold(1u64, |n, extent| n.checked_mul(extent.of(shape)))
}
