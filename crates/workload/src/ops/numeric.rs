//! The numbers a mode computes in.
//!
//! Storage is `f32` everywhere. Half precision rounds both operands of every matrix product to the
//! half type and accumulates in fp32, which is what tensor cores do. Two things stay fp32 in every
//! mode: the gates' nonlinearities, as in fused GRU kernels, and the four scalar heads, which are
//! dot products that steer the pointer: a pointer that rounds to another slot changes everything
//! after it.

use half::{bf16, f16};

use crate::shape::Compute;

/// Rounding to the numbers of one [`Compute`] mode.
pub(crate) trait Numeric: Copy + Send + Sync + 'static {
    /// Whether the weights need a rounded copy.
    const HALF: bool;

    /// The nearest number of this mode.
    fn round(x: f32) -> f32;

    /// Rounds a whole buffer in place.
    fn round_all(values: &mut [f32]) {
        if Self::HALF {
            values.iter_mut().for_each(|v| *v = Self::round(*v));
        }
    }
}

impl Compute {
    /// Rounds a whole buffer to this mode's numbers, in place.
    pub(crate) fn round_all(self, values: &mut [f32]) {
        match self {
            Self::Fp32 => Single::round_all(values),
            Self::Fp16 => Half16::round_all(values),
            Self::Bf16 => Brain16::round_all(values),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Single;

#[derive(Clone, Copy)]
pub(crate) struct Half16;

#[derive(Clone, Copy)]
pub(crate) struct Brain16;

impl Numeric for Single {
    const HALF: bool = false;
    #[inline(always)]
    fn round(x: f32) -> f32 {
        x
    }
}

impl Numeric for Half16 {
    const HALF: bool = true;
    #[inline(always)]
    fn round(x: f32) -> f32 {
        f16::from_f32(x).to_f32()
    }
}

impl Numeric for Brain16 {
    const HALF: bool = true;
    #[inline(always)]
    fn round(x: f32) -> f32 {
        bf16::from_f32(x).to_f32()
    }
}

#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Runs `$body` with the type `$n`, the numbers of a mode.
macro_rules! in_compute {
    ($compute:expr, |$n:ident| $body:expr) => {{
        use $crate::ops::numeric::{Brain16, Half16, Single};
        use $crate::shape::Compute;
        macro_rules! run {
            ($numeric:ty) => {{
                type $n = $numeric;
                $body
            }};
        }
        match $compute {
            Compute::Fp32 => run!(Single),
            Compute::Fp16 => run!(Half16),
            Compute::Bf16 => run!(Brain16),
        }
    }};
}
pub(crate) use in_compute;

/// Runs `$body` with the type `$p`, the numbers of a pointer.
macro_rules! in_pointer {
    ($pointer:expr, |$p:ident| $body:expr) => {{
        use $crate::shape::Pointer;
        match $pointer {
            Pointer::Fp64 => {
                type $p = f64;
                $body
            }
            Pointer::Fp32 => {
                type $p = f32;
                $body
            }
        }
    }};
}
pub(crate) use in_pointer;
