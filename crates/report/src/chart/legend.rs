//! What the shapes and colours of a drawing stand for.

use maud::{Markup, html};

use super::drawing::{LETTERS, px};
use super::text::width;

/// How something is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Line,
    Dot,
    Diamond,
    Block,
    Tick,
}

/// Shapes of a class of colours, and what they stand for.
#[derive(Debug, Default)]
pub(crate) struct Legend {
    items: Vec<(Shape, String, String)>,
}

/// Height of a line and width of a shape with its space, in pixels.
const LINE: f64 = 20.0;
const SHAPE: f64 = 22.0;

impl Legend {
    /// The same with one item more.
    pub fn with(mut self, shape: Shape, class: impl Into<String>, says: impl Into<String>) -> Self {
        self.items.push((shape, class.into(), says.into()));
        self
    }

    /// In lines of this width at most, and their height in pixels.
    pub fn lines(&self, across: f64) -> (Markup, f64) {
        let (mut x, mut y) = (0.0, 0.0);
        let mut placed = Vec::new();
        for (shape, class, says) in &self.items {
            let wide = SHAPE + width(says, LETTERS) + 14.0;
            if x > 0.0 && x + wide > across {
                (x, y) = (0.0, y + LINE);
            }
            placed.push((x, y, *shape, class, says));
            x += wide;
        }
        let lines = html! {
            @for (x, y, shape, class, says) in placed {
                g transform=(format!("translate({} {})", px(x), px(y))) {
                    (draw(shape, class))
                    text x=(SHAPE) y="12" { (says) }
                }
            }
        };
        (lines, if self.items.is_empty() { 0.0 } else { y + LINE + 4.0 })
    }

    /// As an element of a page.
    pub fn element(&self) -> Markup {
        html! {
            ul.legend {
                @for (shape, class, says) in &self.items {
                    li {
                        svg.chart width="18" height="16" aria-hidden="true" { (draw(*shape, class)) }
                        (says)
                    }
                }
            }
        }
    }
}

/// A shape in a field of 16 by 16 pixels.
fn draw(shape: Shape, class: &str) -> Markup {
    match shape {
        Shape::Line => html! { path class=(class) d="M0 8H16" {} },
        Shape::Dot => html! { circle class=(class) cx="8" cy="8" r="4" {} },
        Shape::Diamond => html! { path class=(class) d=(diamond(8.0, 8.0)) {} },
        Shape::Block => html! { rect class=(class) x="2" y="2" width="12" height="12" {} },
        Shape::Tick => html! { path class=(class) d="M8 1V15" {} },
    }
}

/// The path of a diamond around a place.
pub(super) fn diamond(x: f64, y: f64) -> String {
    format!("M{} {}l5 -5l5 5l-5 5z", px(x - 5.0), px(y))
}
