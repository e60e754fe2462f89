//! Arithmetic of pointers on the ring, on tensors.
//!
//! ```text
//! rem(a) = a mod R      wrap(a,b) = rem(b - a + R/2) - R/2      lerp(a,b,w) = rem(a + w wrap(a,b))
//! ```
//!
//! `rem` has gradient 1: whole turns are counted without one.

use candle_core::{DType, Device, Result, Tensor};

use crate::shape::Shape;

/// Arithmetic on the circle of R slots, in one type of number.
pub(super) struct RingAxis {
    len: f64,
    /// R, `[]`. candle divides by a plain number as it multiplies by its reciprocal, which puts a
    /// whole turn below 1.
    period: Tensor,
}

impl RingAxis {
    pub(super) fn new(ring_len: usize, dtype: DType, device: &Device) -> Result<Self> {
        let period = Tensor::full(ring_len as f64, (), device)?.to_dtype(dtype)?;
        Ok(Self { len: ring_len as f64, period })
    }

    pub(super) fn rem(&self, a: &Tensor) -> Result<Tensor> {
        let turns = a.detach().broadcast_div(&self.period)?.floor()?;
        a - (turns * self.len)?
    }

    pub(super) fn wrap(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.rem(&(b.broadcast_sub(a)? + self.len / 2.0)?)? - self.len / 2.0
    }

    pub(super) fn lerp(&self, a: &Tensor, b: &Tensor, w: &Tensor) -> Result<Tensor> {
        self.rem(&(a + (w * self.wrap(a, b)?)?)?)
    }
}

/// Which slots a pointer stands for: whole numbers in fp64, without a gradient.
pub(super) struct Slots {
    axis: RingAxis,
    /// R - 1, `[]`.
    last: Tensor,
    /// -2 to 2, `[5]`.
    around: Tensor,
    /// Row of each sample's slot 0 in a ring state `[B*R,D]`: `[B,1]`.
    first_rows: Tensor,
}

impl Slots {
    pub(super) fn new(shape: &Shape, device: &Device) -> Result<Self> {
        let samples = Tensor::arange(0.0, shape.batch as f64, device)?.unsqueeze(1)?;
        Ok(Self {
            axis: RingAxis::new(shape.ring_len, DType::F64, device)?,
            last: Tensor::full((shape.ring_len - 1) as f64, (), device)?,
            around: Tensor::arange(-2.0, 3.0, device)?,
            first_rows: (samples * shape.ring_len as f64)?,
        })
    }

    /// `clamp(floor(p),0,R-1)`. A pointer is never below 0, but R less a little can round to R.
    pub(super) fn slot(&self, p: &Tensor) -> Result<Tensor> {
        p.detach().to_dtype(DType::F64)?.floor()?.broadcast_minimum(&self.last)
    }

    /// The centres `c_j`, `[B,5]`.
    pub(super) fn neighbourhood(&self, p: &Tensor) -> Result<Tensor> {
        self.axis.rem(&self.slot(p)?.unsqueeze(1)?.broadcast_add(&self.around)?)
    }

    /// Rows of `slots` `[B,N]` in a ring state: `[B*N]`, u32.
    pub(super) fn rows(&self, slots: &Tensor) -> Result<Tensor> {
        slots.broadcast_add(&self.first_rows)?.to_dtype(DType::U32)?.flatten_all()
    }
}

/// The nearest whole number, of two equally near ones the even one, in fp64 and without a gradient
/// (candle's `round` takes the one away from 0). Beyond 2^52 fp64 has no fractions: adding such a
/// number rounds as fp64 rounds, half to even.
pub(super) fn round(x: &Tensor) -> Result<Tensor> {
    const WHOLE: f64 = 1.5 * (1u64 << 52) as f64;
    (x.detach().to_dtype(DType::F64)? + WHOLE)? - WHOLE
}
