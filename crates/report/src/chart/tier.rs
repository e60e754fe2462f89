//! A tier's panel: predicted and published lines with measured points, and the residuals under them.

use maud::{Markup, html};

use super::axis::{Axis, Tick};
use super::drawing::{Drawing, LETTERS, SMALL_LETTERS, mark, px};
use super::labels::{Area, place};
use super::legend::{Legend, Shape, diamond};
use super::text::{cut, width};
use crate::peaks::{RowPeak, Straight, TierPeaks};
use crate::units::{exactly, percent, unit};

/// Sizes of a panel in pixels: the title's line, the two charts, what is under each, and the margin.
const WIDTH: f64 = 320.0;
const TITLE: f64 = 22.0;
const LINES: f64 = 220.0;
const RESIDUALS: f64 = 130.0;
const UNDER: f64 = 36.0;
const RIGHT: f64 = 8.0;

/// What the panels' shapes stand for.
pub(crate) fn legend(tiers: &[TierPeaks<'_>]) -> Legend {
    let legend = Legend::default().with(Shape::Dot, "measured", "measured").with(
        Shape::Line,
        "predicted",
        "predicted, fitted here",
    );
    let has_line = tiers.iter().any(|tier| tier.published.is_some());
    let has_row = tiers.iter().flat_map(|tier| &tier.rows).any(|row| row.line.published.is_some());
    let legend = match has_row {
        true => legend.with(Shape::Diamond, "published-row", "published, of another card"),
        false => legend,
    };
    match has_line {
        true => legend.with(Shape::Line, "published", "predicted by the published constants"),
        false => legend,
    }
}

/// The panel of a tier.
pub(crate) fn draw(tier: &TierPeaks<'_>) -> Drawing {
    let reserved = reserved_end(tier);
    let ((ring_unit, ring_size), (unit, size)) =
        (unit(tier.ring_end as f64), unit(reserved as f64));
    let foot = TITLE + LINES;
    let up = Axis::new(0.0..=1.1 * reserved as f64 / size, foot, TITLE);
    let (up_ticks, widest) = (up.ticks(5), widest_error(tier));
    let (middle, end) = (foot + UNDER, foot + UNDER + RESIDUALS);
    let errors = Axis::new(-1.6 * widest..=1.6 * widest, end, middle);
    let error_ticks = errors.ticks(6);
    let labels = up_ticks.iter().chain(&error_ticks).map(|tick| width(&tick.label, SMALL_LETTERS));
    let left = 24.0 + labels.fold(0.0, f64::max);
    let across = Axis::new(0.0..=tier.ring_end as f64 / ring_size, left, WIDTH - RIGHT);
    let x = |ring: u64| across.at(ring as f64 / ring_size);
    let y = |bytes: u64| up.at(bytes as f64 / size);
    let across_ticks = across.ticks(5);
    let path = |[(from, low), (to, high)]: Straight| {
        format!("M{} {}L{} {}", px(x(from)), px(y(low)), px(x(to)), px(y(high)))
    };
    let placed: Vec<(f64, f64, &RowPeak<'_>)> =
        tier.rows.iter().map(|row| (x(row.ring_bytes), errors.at(error(row)), row)).collect();
    let names = {
        let known = placed.iter().filter(|(_, _, row)| row.line.err_percent.is_some());
        let points: Vec<_> = known.map(|(x, y, row)| (*x, *y, row.line.id.as_str())).collect();
        let within = Area { left, top: middle, right: WIDTH - RIGHT, bottom: end };
        place(&points, SMALL_LETTERS, within)
    };
    let marks = html! {
        text.title x=(px(left)) y="14" { (cut(&tier.title, LETTERS, WIDTH - left)) title { (tier.title) } }
        (frame(left, (TITLE, foot), &up_ticks, &format!("peak reserved, {unit}")))
        (under(foot, left, &across_ticks, &format!("ring term, {ring_unit}")))
        @if let Some(line) = tier.published { path.published d=(path(line)) {} }
        @if let Some(line) = tier.predicted { path.predicted d=(path(line)) {} }
        @for (x, _, row) in &placed {
            @if let Some(bytes) = row.published_bytes() { path.published-row d=(diamond(*x, y(bytes))) {} }
            @if let Some(bytes) = row.line.meas_reserved_bytes { (point(row, *x, y(bytes))) }
        }
        (frame(left, (middle, end), &error_ticks, "residual, %"))
        (under(end, left, &across_ticks, &format!("ring term, {ring_unit}")))
        path.zero d=(format!("M{} {}H{}", px(left), px(errors.at(0.0)), px(WIDTH - RIGHT))) {}
        @for label in &names {
            text.name x=(px(label.area.left)) y=(px(label.area.bottom - 4.0)) { (label.text) }
        }
        @for (x, y, row) in placed.iter().filter(|(_, _, row)| row.line.err_percent.is_some()) {
            (point(row, *x, *y))
        }
    };
    let label = format!("{}: peaks and residuals", tier.title);
    Drawing { width: WIDTH, height: end + UNDER, label, marks }
}

/// The most that is drawn of peaks, in bytes.
fn reserved_end(tier: &TierPeaks<'_>) -> u64 {
    let rows =
        tier.rows.iter().flat_map(|row| [row.line.meas_reserved_bytes, row.published_bytes()]);
    let lines = [tier.predicted, tier.published].into_iter().flatten().map(|[_, (_, high)]| high);
    rows.flatten().chain(lines).max().unwrap_or(0)
}

fn error(row: &RowPeak<'_>) -> f64 {
    row.line.err_percent.unwrap_or(0.0)
}

/// The largest residual in percent, or what is small enough to call it none.
fn widest_error(tier: &TierPeaks<'_>) -> f64 {
    tier.rows.iter().map(|row| error(row).abs()).fold(0.05, f64::max)
}

fn point(row: &RowPeak<'_>, x: f64, y: f64) -> Markup {
    let (x, y) = (px(x), px(y));
    let shapes = html! {
        // What a finger can meet.
        circle.reach cx=(x) cy=(y) r="10" {}
        circle.measured cx=(x) cy=(y) r="4" {}
    };
    mark(&says(row), &shapes)
}

/// What is known of a row.
fn says(row: &RowPeak<'_>) -> Vec<String> {
    let line = &row.line;
    let bytes = |name: &str, bytes: Option<u64>| Some(format!("{name} {}", exactly(bytes?)));
    let part = |name: &str, value: Option<f64>| Some(format!("{name} {} %", percent(value?, 3)));
    let published = line.published.map(|p| {
        let error = percent(p.err_percent, 2);
        format!("published {:.3} GiB, residual {error} %", p.meas_reserved_gib)
    });
    let known = [
        Some(line.id.clone()),
        bytes("measured", line.meas_reserved_bytes),
        bytes("predicted", line.pred_reserved_bytes),
        part("residual", line.err_percent),
        part("residual of a fit without it", line.loo_err_percent),
        bytes("allocated", line.meas_allocated_bytes),
        bytes("ring term", Some(row.ring_bytes)),
        published,
    ];
    known.into_iter().flatten().collect()
}

/// A chart's lines, the names of its values, and at its left what they are.
fn frame(left: f64, (top, foot): (f64, f64), ticks: &[Tick], name: &str) -> Markup {
    let middle = (top + foot) / 2.0;
    html! {
        @for tick in ticks {
            path.grid-line d=(format!("M{} {}H{}", px(left), px(tick.at), px(WIDTH - RIGHT))) {}
            text.axis x=(px(left - 5.0)) y=(px(tick.at + 4.0)) text-anchor="end" { (tick.label) }
        }
        text.axis transform=(format!("translate(11 {}) rotate(-90)", px(middle))) text-anchor="middle" { (name) }
    }
}

/// The values under a chart, and what they are.
fn under(foot: f64, left: f64, ticks: &[Tick], name: &str) -> Markup {
    let kept = |tick: &&Tick| tick.at + width(&tick.label, SMALL_LETTERS) / 2.0 <= WIDTH;
    html! {
        path.axis-line d=(format!("M{} {}H{}", px(left), px(foot), px(WIDTH - RIGHT))) {}
        @for tick in ticks.iter().filter(kept) {
            path.axis-line d=(format!("M{} {}v4", px(tick.at), px(foot))) {}
            text.axis x=(px(tick.at)) y=(px(foot + 15.0)) text-anchor="middle" { (tick.label) }
        }
        text.axis x=(px((left + WIDTH - RIGHT) / 2.0)) y=(px(foot + 29.0)) text-anchor="middle" { (name) }
    }
}
