//! The phases of a step as stacked bars, as SVG.

use plotters::prelude::*;
use vram_metrics::phase::Phase;
use vram_workload::buffer_spec::BufferKind;
use vram_workload::ledger::Ledger;

use crate::error::ReportError;

const WIDTH: u32 = 900;
const HEIGHT: u32 = 420;

/// Colours that stay apart for most eyes (Okabe and Ito), then greys.
const COLOURS: [RGBColor; 12] = [
    RGBColor(0, 114, 178),
    RGBColor(120, 94, 240),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(240, 228, 66),
    RGBColor(0, 0, 0),
    RGBColor(90, 90, 90),
    RGBColor(130, 130, 130),
    RGBColor(170, 170, 170),
];

/// Units a size is shown in, the largest first.
const UNITS: [(&str, f64); 3] =
    [("GiB", (1u64 << 30) as f64), ("MiB", (1u64 << 20) as f64), ("KiB", 1024.0)];

/// Draws what is allocated at each phase, by kind of buffer, as SVG.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub fn draw(ledger: &Ledger, title: &str) -> Result<String, ReportError> {
    bars(ledger, title)
        .map_err(|error| ReportError::Draw { what: title.to_owned(), reason: error.to_string() })
}

fn bars(ledger: &Ledger, title: &str) -> Result<String, Box<dyn std::error::Error>> {
    let peak = ledger.peak().unwrap_or(0) as f64;
    let (unit, size) = UNITS.into_iter().find(|(_, size)| peak >= *size).unwrap_or(UNITS[2]);
    // Nothing is alive at the start.
    let phases = &Phase::ALL[1..];
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (bars, legend) = root.split_horizontally(560);
        let mut chart = ChartBuilder::on(&bars)
            .caption(title, ("sans-serif", 14))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(54)
            .build_cartesian_2d(0.0..phases.len() as f64, 0.0..1.08 * peak / size)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_desc(format!("allocated, {unit}"))
            .label_style(("sans-serif", 11))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.1))
            .draw()?;
        for (at, phase) in phases.iter().enumerate() {
            let mut below = 0.0;
            for (kind, colour) in BufferKind::ALL.iter().zip(COLOURS) {
                let height = ledger.kind_at(*kind, *phase).unwrap_or(0) as f64 / size;
                let corners = [(at as f64 + 0.15, below), (at as f64 + 0.85, below + height)];
                chart.draw_series([Rectangle::new(corners, colour.filled())])?;
                below += height;
            }
            let label = Text::new(phase.name(), (0, 0), ("sans-serif", 11));
            let (x, y) = chart.backend_coord(&(at as f64 + 0.2, 0.0));
            root.draw(&(EmptyElement::at((x, y + 8)) + label))?;
        }
        legend.titled("at the peak", ("sans-serif", 13))?;
        let shown = BufferKind::ALL.iter().zip(COLOURS).filter_map(|(kind, colour)| {
            let bytes = ledger.kind_at(*kind, ledger.peak_phase())?;
            (bytes > 0).then_some((kind, colour, bytes))
        });
        for (line, (kind, colour, bytes)) in shown.enumerate() {
            let y = 44 + 24 * line as i32;
            legend.draw(&Rectangle::new([(8, y), (22, y + 14)], colour.filled()))?;
            let part = 100.0 * bytes as f64 / peak;
            let text = format!("{kind}: {bytes} bytes ({part:.2} %)");
            legend.draw(&Text::new(text, (30, y), ("sans-serif", 12)))?;
        }
        root.present()?;
    }
    Ok(svg)
}
