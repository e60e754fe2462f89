//! The numbers a mode computes in.
//!
//! Storage is `f32` everywhere. Half precision rounds both operands of every matrix product to the
//! half type and accumulates in fp32, which is what tensor cores do. Two things stay fp32 in every
//! mode: the gates' nonlinearities, as in fused GRU kernels, and the four scalar heads, which are
//! dot products that steer the pointer: a pointer that rounds to another slot changes everything
//! after it.

use half::{bf16, f16};
use rayon::prelude::*;

use super::copy::PIECE;
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
            values.par_chunks_mut(PIECE).for_each(|piece| {
                piece.iter_mut().for_each(|v| *v = Self::round(*v));
            });
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
        round_to_f16(x)
    }
}

impl Numeric for Brain16 {
    const HALF: bool = true;
    #[inline(always)]
    fn round(x: f32) -> f32 {
        bf16::from_f32(x).to_f32()
    }
}

/// `f16::from_f32(x).to_f32()`, without the call that converts one element after the other.
#[inline(always)]
fn round_to_f16(x: f32) -> f32 {
    /// Bits of an f32's mantissa that an f16 has no room for.
    const SPARE: u32 = f32::MANTISSA_DIGITS - f16::MANTISSA_DIGITS;
    let size = x.abs();
    let bits = size.to_bits();
    // To the nearest, of two to the even one; what carries on into the exponent is right there, too.
    let half_less_one = (1 << (SPARE - 1)) - 1;
    let rounded = (bits + half_less_one + ((bits >> SPARE) & 1)) >> SPARE << SPARE;
    let normal = f32::from_bits(rounded);
    let finite = if normal > f16::MAX.to_f32_const() { f32::INFINITY } else { normal };
    // Below the normal numbers all are as far from each other as the f32 from here on.
    let subnormal = (size + 0.5) - 0.5;
    let of_numbers = if size < f16::MIN_POSITIVE.to_f32_const() { subnormal } else { finite };
    // The sum above would make another number of NaN.
    (if size.is_nan() { x } else { of_numbers }).copysign(x)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every f16, what lies halfway to the next one, and the f32 beside each of these.
    #[test]
    fn rounding_is_that_of_the_half_type() {
        let same = |x: f32| {
            let (found, expected) = (Half16::round(x), f16::from_f32(x).to_f32());
            let are_nan = found.is_nan() && expected.is_nan();
            assert!(are_nan || found.to_bits() == expected.to_bits(), "{x}: {found}, {expected}");
        };
        for half in 0..=u16::MAX {
            let (low, high) = (f16::from_bits(half), f16::from_bits(half.wrapping_add(1)));
            let halfway = f32::midpoint(low.to_f32(), high.to_f32());
            for x in [low.to_f32(), halfway] {
                [x, x.next_up(), x.next_down()].into_iter().for_each(same);
            }
        }
        (0..=u32::MAX).step_by(4099).map(f32::from_bits).for_each(same);
        [65_519.9, 65_520.0, 65_536.0, f32::MAX, f32::MIN_POSITIVE].into_iter().for_each(same);
    }
}
