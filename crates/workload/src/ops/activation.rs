//! The cells' nonlinearities, written so that a loop over many values computes several at once: no
//! branch, no call, and the same bits whatever the width of the vectors.
//!
//! The polynomials are Cephes' `expf` and `tanhf`, within a few units in the last place. NaN gives
//! NaN.

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    const COEFFICIENTS: [f32; 5] =
        [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1];
    let size = x.abs();
    let square = size * size;
    let near_zero = size + size * square * polynomial(COEFFICIENTS, square);
    let far = 1.0 - 2.0 / (exp(2.0 * size) + 1.0);
    // Near zero the difference from one would lose digits.
    (if size < 0.625 { near_zero } else { far }).copysign(x)
}

/// `e^x`, of an argument that is first brought to where the result is a normal number.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const COEFFICIENTS: [f32; 6] =
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    /// `ln 2` in two parts, of which a multiple of the first is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    /// Added to a number, it leaves the nearest integer in the last bits.
    const INTEGERS: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + INTEGERS;
    let doublings = shifted - INTEGERS;
    let rest = x - doublings * LN_2[0] - doublings * LN_2[1];
    // The smallest first: what is rounded away is a part of those.
    let mantissa = rest * rest * polynomial(COEFFICIENTS, rest) + rest + 1.0;
    let power = (shifted.to_bits() << 23).wrapping_add(1f32.to_bits());
    mantissa * f32::from_bits(power)
}

/// Horner's rule, the highest power first.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let [highest, rest @ ..] = &coefficients[..] else { return 0.0 };
    rest.iter().fold(*highest, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every so many floats, of both signs, and the ends.
    fn floats() -> impl Iterator<Item = f32> {
        let sizes = (0..=f32::MAX.to_bits()).step_by(1009).map(f32::from_bits);
        let ends = [0.625, 87.0, 88.0, 89.0, f32::MAX, f32::INFINITY];
        sizes.chain(ends).flat_map(|x| [x, -x])
    }

    #[test]
    fn both_are_near_what_is_exact() {
        for x in floats() {
            let wide = f64::from(x);
            let near = |found: f32, exact: f64| {
                let off = (f64::from(found) - exact).abs();
                // Results below the normal numbers are as good as zero.
                off <= 1.5 * f64::from(f32::EPSILON) * exact.abs() + f64::from(f32::MIN_POSITIVE)
            };
            assert!(near(tanh(x), wide.tanh()), "tanh({x}) = {}", tanh(x));
            let exact = 1.0 / (1.0 + (-wide).exp());
            assert!(near(sigmoid(x), exact), "sigmoid({x}) = {}", sigmoid(x));
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
        assert_eq!((tanh(0.0), sigmoid(0.0)), (0.0, 0.5));
        assert_eq!((tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)), (1.0, -1.0));
    }
}
