//! An axis: from values to places, and where its ticks are.

use std::ops::RangeInclusive;

use crate::units::fixed;

/// Values along a line of a drawing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    /// Where the lowest and the highest value lie, in pixels.
    from: f64,
    to: f64,
}

/// A value that an axis names.
#[derive(Debug, PartialEq)]
pub(crate) struct Tick {
    pub at: f64,
    pub label: String,
}

impl Axis {
    /// Values of a range between two places.
    pub fn new(values: RangeInclusive<f64>, from: f64, to: f64) -> Self {
        let (low, high) = values.into_inner();
        // An axis of no length has every value at its beginning.
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, from, to }
    }

    /// Where a value lies, in pixels; one beyond the ends at an end.
    pub fn at(&self, value: f64) -> f64 {
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + part * (self.to - self.from)
    }

    /// Where the highest value lies, in pixels.
    pub fn end(&self) -> f64 {
        self.to
    }

    /// About so many ticks at values of 1, 2 or 5 and zeros.
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        let rough = (self.high - self.low) / most as f64;
        let power = rough.log10().floor() as i32;
        let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * 10f64.powi(power));
        let step = steps.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(rough);
        let decimals = (-(step * 1.001).log10().floor()).max(0.0) as usize;
        let (first, last) = ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
        (first..=last)
            .map(|i| {
                let value = i as f64 * step;
                let label = match value.abs() >= 1e6 {
                    true => format!("{value:e}"),
                    false => fixed(value, decimals),
                };
                Tick { at: self.at(value), label }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        Axis::new(low..=high, 0.0, 100.0).ticks(5).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_and_zero_has_no_sign() {
        assert_eq!(labels(0.0, 8.9), ["0", "2", "4", "6", "8"]);
        assert_eq!(labels(-0.08, 0.08), ["-0.05", "0.00", "0.05"]);
        assert_eq!(labels(0.0, 0.5), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(labels(0.0, 0.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(0.0, 9e12), ["0", "2e12", "4e12", "6e12", "8e12"]);
    }

    proptest! {
        #[test]
        fn ticks_lie_on_their_axis(low in -1e15..1e15, more in 1e-6..1e15) {
            let ticks = Axis::new(low..=low + more, 10.0, 90.0).ticks(5);
            prop_assert!(ticks.len() <= 7);
            for tick in ticks {
                prop_assert!((10.0..=90.0).contains(&tick.at));
                let is_zero = !tick.label.contains(|c| ('1'..='9').contains(&c));
                prop_assert!(!(is_zero && tick.label.starts_with('-')));
            }
        }
    }
}
