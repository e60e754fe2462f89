//! Something that is drawn, and the marks that it is made of.

use maud::{Markup, html};

use crate::units::fixed;

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

/// A length or a place, to the tenth of a pixel.
pub(crate) fn px(value: f64) -> String {
    fixed(value, 1)
}

/// A mark that says what it is, a line each.
pub(crate) fn mark(says: &[String], shapes: &Markup) -> Markup {
    html! { g.mark role="img" tabindex="-1" { title { (says.join("\n")) } (shapes) } }
}
