//! Predicted lines, measured points and residuals, as SVG.

use std::collections::HashMap;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use vram_fit::model::{RowFit, TierFit};
use vram_source::escape;

use crate::study::Study;
use crate::units::GIB;

/// Width of a tier's column and heights of its two charts, in pixels.
const COLUMN: u32 = 320;
const LINES: u32 = 320;
const RESIDUALS: u32 = 200;

/// Palette: blue for what is predicted, orange for what is measured.
const PREDICTED: RGBColor = RGBColor(31, 119, 180);
const MEASURED: RGBColor = RGBColor(214, 96, 20);

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type DrawError = Box<dyn std::error::Error>;

/// One tier's rows: ring term and row, both in the fit's order.
struct Column<'a> {
    title: String,
    tier: &'a TierFit,
    points: Vec<(f64, &'a RowFit)>,
}

/// Per tier the predicted line with measured points, and the residuals under it, as SVG.
pub(super) fn draw(study: &Study) -> Result<String, DrawError> {
    let columns = columns(study);
    let width = COLUMN * columns.len().max(1) as u32;
    let mut svg = String::new();
    {
        let root =
            SVGBackend::with_string(&mut svg, (width, LINES + RESIDUALS)).into_drawing_area();
        root.fill(&WHITE)?;
        let (top, bottom) = root.split_vertically(LINES);
        let parts = columns.len().max(1);
        let cells = top.split_evenly((1, parts)).into_iter().zip(bottom.split_evenly((1, parts)));
        for (column, (top, bottom)) in columns.iter().zip(cells) {
            lines(&top, column)?;
            residuals(&bottom, column)?;
        }
        root.present()?;
    }
    Ok(escape::svg(&svg).into_owned())
}

fn columns(study: &Study) -> Vec<Column<'_>> {
    let mut points: HashMap<&str, Vec<(f64, &RowFit)>> = HashMap::new();
    for (run, row) in study.rows() {
        // It was fitted, so its terms are sizes.
        let ring = study.terms.values(&run.spec).ok().and_then(|terms| terms.first().copied());
        let place = ring.map(|ring| (ring as f64 / GIB, row));
        points.entry(&row.tier).or_default().extend(place);
    }
    let tiers = study.fit.tiers.iter().zip(&study.tiers);
    tiers
        .map(|(tier, named)| {
            let anchored = if tier.anchored { ", anchored" } else { "" };
            let (sizes, precision) =
                (format!("{} x {}", named.key.ring_len, named.key.slot_dim), &named.key.precision);
            // A name that had to tell the whole key apart is too long for a column.
            let short = named.name.len() < 16;
            let name = if short {
                format!("{} ({sizes})", named.name)
            } else {
                format!("{sizes}, {precision}")
            };
            Column {
                title: format!("{name}{anchored}"),
                tier,
                points: points.remove(tier.tier.as_str()).unwrap_or_default(),
            }
        })
        .collect()
}

impl Column<'_> {
    fn x_end(&self) -> f64 {
        1.1 * self.points.iter().fold(0.0, |a: f64, (x, _)| a.max(*x))
    }

    /// Predicted peak reserved in GiB on the tier's line.
    fn line(&self, ring_gib: f64) -> Option<f64> {
        let predicted = self.tier.predict(&[(ring_gib * GIB) as u64])?;
        Some(predicted.reserved_bytes as f64 / GIB)
    }
}

fn lines(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    column: &Column<'_>,
) -> Result<(), DrawError> {
    let measured = |row: &RowFit| row.meas_reserved_bytes as f64 / GIB;
    let top = column.points.iter().fold(0.0, |a: f64, (_, r)| a.max(measured(r)));
    let mut chart = ChartBuilder::on(area)
        .caption(&column.title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..column.x_end(), 0.0..1.15 * top)?;
    mesh(&mut chart, "ring term, GiB", "peak reserved, GiB")?;
    // A line with a negative base predicts nothing near zero: it begins where it does.
    let along = (0..=64).map(|i| column.x_end() * f64::from(i) / 64.0);
    let line: Vec<(f64, f64)> = along.filter_map(|x| Some((x, column.line(x)?))).collect();
    chart
        .draw_series(LineSeries::new(line, PREDICTED.stroke_width(2)))?
        .label("predicted")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 14, y)], PREDICTED.stroke_width(2)));
    let points =
        column.points.iter().map(|(x, r)| Circle::new((*x, measured(r)), 4, MEASURED.filled()));
    chart
        .draw_series(points)?
        .label("measured")
        .legend(|(x, y)| Circle::new((x + 7, y), 4, MEASURED.filled()));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 12))
        .draw()?;
    Ok(())
}

fn residuals(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    column: &Column<'_>,
) -> Result<(), DrawError> {
    let errors = || column.points.iter().filter_map(|(x, r)| Some((*x, r.err_percent?, &r.id)));
    let widest = errors().fold(0.05, |a: f64, (_, e, _)| a.max(e.abs()));
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..column.x_end(), -1.6 * widest..1.6 * widest)?;
    mesh(&mut chart, "ring term, GiB", "error, %")?;
    chart.draw_series(LineSeries::new(
        [(0.0, 0.0), (column.x_end(), 0.0)],
        PREDICTED.stroke_width(1),
    ))?;
    chart.draw_series(errors().map(|(x, e, _)| Circle::new((x, e), 4, MEASURED.filled())))?;
    chart.draw_series(errors().map(|(x, e, id)| {
        // Above a point that lies high, below one that lies low, so that neighbours stay apart.
        let lift = if e < 0.0 { 6 } else { -18 };
        EmptyElement::at((x, e)) + Text::new(id.clone(), (-10, lift), ("sans-serif", 11))
    }))?;
    Ok(())
}

fn mesh(chart: &mut Chart<'_, '_>, x: &str, y: &str) -> Result<(), DrawError> {
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels(5)
        .y_labels(5)
        .label_style(("sans-serif", 11))
        .axis_desc_style(("sans-serif", 12))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .draw()?;
    Ok(())
}
