//! Something that is drawn, and the marks that it is made of.

use std::fmt;

use maud::{Markup, html};

/// Sizes of letters in pixels: of what is read, and of an axis.
pub(crate) const LETTERS: f64 = 12.0;
pub(crate) const SMALL_LETTERS: f64 = 11.0;

/// Something that is drawn, and its size in pixels.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub width: f64,
    pub height: f64,
    /// What it is, for who cannot see it.
    pub label: String,
    pub marks: Markup,
}

impl Drawing {
    /// As an element of a page, as wide as there is room.
    pub fn element(&self) -> Markup {
        let Self { width, height, label, marks } = self;
        html! {
            svg.chart viewBox=(format!("0 0 {width} {height}")) role="group" tabindex="0" aria-label=(label) {
                (marks)
            }
        }
    }

    /// As a part of a larger drawing.
    pub fn part(&self, x: f64, y: f64) -> Markup {
        html! { g transform=(format!("translate({x} {y})")) { (self.marks) } }
    }
}

/// A length or a place in pixels, which is written to the tenth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pixels(f64);

/// A length or a place, to be written.
pub(crate) fn px(value: f64) -> Pixels {
    Pixels(value)
}

impl fmt::Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (10.0 * self.0).round() as i64;
        let sign = if tenths < 0 { "-" } else { "" };
        match (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

/// A mark that says what it is, a line each.
pub(crate) fn mark(says: &[String], shapes: &Markup) -> Markup {
    html! { g.mark role="img" tabindex="-1" { title { (says.join("\n")) } (shapes) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_short_and_zero_has_no_sign() {
        let shown = [0.0, -0.04, -0.06, 12.0, 12.34, -7.96].map(|value| px(value).to_string());
        assert_eq!(shown, ["0", "0", "-0.1", "12", "12.3", "-8"]);
    }
}
