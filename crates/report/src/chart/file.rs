//! Drawings beside each other, in a file of their own.

use maud::{PreEscaped, html};
use vram_source::escape;

use super::drawing::Drawing;
use super::legend::Legend;

/// Colours of marks, light and dark.
pub(crate) const STYLE: &str = include_str!("chart.css");

/// Space around the parts of a file, in pixels.
const MARGIN: f64 = 12.0;

/// Drawings of one size in rows, under a legend, as a file of its own.
pub(crate) fn svg(legend: &Legend, drawings: &[Drawing]) -> String {
    let columns = columns(drawings.len());
    let size = |of: fn(&Drawing) -> f64| drawings.iter().map(of).fold(0.0, f64::max);
    let (width, height) = (size(|d| d.width), size(|d| d.height));
    let across = (MARGIN + (width + MARGIN) * columns as f64).max(2.0 * MARGIN + 320.0);
    let (items, below) = legend.lines(across - 2.0 * MARGIN);
    let top = MARGIN + below;
    let rows = drawings.len().div_ceil(columns);
    let down = top + (height + MARGIN) * rows as f64;
    let at = |i: usize| {
        let (column, row) = ((i % columns) as f64, (i / columns) as f64);
        (MARGIN + (width + MARGIN) * column, top + (height + MARGIN) * row)
    };
    let svg = html! {
        svg.chart xmlns="http://www.w3.org/2000/svg" width=(across) height=(down)
            viewBox=(format!("0 0 {across} {down}")) {
            style { (PreEscaped(STYLE)) }
            rect.page width="100%" height="100%" {}
            g transform=(format!("translate({MARGIN} {MARGIN})")) { (items) }
            @for (i, drawing) in drawings.iter().enumerate() {
                @let (x, y) = at(i);
                (drawing.part(x, y))
            }
        }
    };
    escape::markup(&(svg.into_string() + "\n")).into_owned()
}

/// How many stand beside each other: few enough to be read, and no strip of any length.
fn columns(drawings: usize) -> usize {
    match drawings {
        0..=4 => drawings.max(1),
        many => (many as f64).sqrt().ceil().min(6.0) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_drawings_has_a_shape() {
        let shape = |n| (columns(n), n.div_ceil(columns(n)));
        let shapes = [1, 3, 4, 6, 9, 20, 300].map(shape);
        assert_eq!(shapes, [(1, 1), (3, 1), (4, 1), (3, 2), (3, 3), (5, 4), (6, 50)]);
        assert_eq!(columns(0), 1);
    }
}
