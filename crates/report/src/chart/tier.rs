//! A tier's panel: predicted and published lines with measured points, and the residuals under them.

use maud::{Markup, html};

use super::axis::{Axis, Tick};
use super::drawing::{Drawing, LETTERS, SMALL_LETTERS, mark, px};
use super::labels::{Area, place};
use super::legend::{Legend, Shape, diamond};
use super::text::{cut, width};
use crate::peaks::{RowPeak, Straight, TierPeaks};
use crate::units::{exactly, percent, unit};

/// Sizes of a panel in pixels: the title's line, the two charts, what is under each.
const WIDTH: f64 = 320.0;
const TITLE: f64 = 22.0;
const LINES: f64 = 220.0;
const RESIDUALS: f64 = 130.0;
const UNDER: f64 = 36.0;
/// Where the charts end.
const RIGHT: f64 = WIDTH - 8.0;

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
    let (name, size) = unit(reserved as f64);
    let (ring_name, ring_size) = unit(tier.ring_end as f64);
    let foot = TITLE + LINES;
    let (middle, end) = (foot + UNDER, foot + UNDER + RESIDUALS);
    let up = Axis::new(0.0..=1.1 * reserved as f64 / size, foot, TITLE);
    let widest = widest_error(tier);
    let errors = Axis::new(-1.6 * widest..=1.6 * widest, end, middle);
    let ticks = [up.ticks(5), errors.ticks(6)];
    let labels = ticks.iter().flatten().map(|tick| width(&tick.label, SMALL_LETTERS));
    let left = 24.0 + labels.fold(0.0, f64::max);
    let across = Axis::new(0.0..=tier.ring_end as f64 / ring_size, left, RIGHT);
    let x = |ring: u64| across.at(ring as f64 / ring_size);
    let rings = across.ticks(5);
    let ring = format!("ring term, {ring_name}");
    let marks = html! {
        text.title x=(px(left)) y="14" {
            (cut(&tier.title, LETTERS, WIDTH - left))
            title { (tier.title) }
        }
        (frame(left, (TITLE, foot), &ticks[0], &format!("peak reserved, {name}")))
        (under(foot, left, &rings, &ring))
        (peaks(tier, x, |bytes| up.at(bytes as f64 / size)))
        (frame(left, (middle, end), &ticks[1], "residual, %"))
        (under(end, left, &rings, &ring))
        (residuals(tier, x, &errors, Area { left, top: middle, right: RIGHT, bottom: end }))
    };
    let label = format!("{}: peaks and residuals", tier.title);
    Drawing { width: WIDTH, height: end + UNDER, label, marks }
}

/// Lines and points of peaks, from a ring term and a peak in bytes to their places.
fn peaks(tier: &TierPeaks<'_>, x: impl Fn(u64) -> f64, y: impl Fn(u64) -> f64) -> Markup {
    let path = |[(from, low), (to, high)]: Straight| {
        format!("M{} {}L{} {}", px(x(from)), px(y(low)), px(x(to)), px(y(high)))
    };
    html! {
        @if let Some(line) = tier.published { path.published d=(path(line)) {} }
        @if let Some(line) = tier.predicted { path.predicted d=(path(line)) {} }
        @for row in &tier.rows {
            @let x = x(row.ring_bytes);
            @if let Some(bytes) = row.published_bytes() {
                path.published-row d=(diamond(x, y(bytes))) {}
            }
            @if let Some(bytes) = row.line.meas_reserved_bytes { (point(row, x, y(bytes))) }
        }
    }
}

/// Points of what is not as predicted, with their rows' names.
fn residuals(tier: &TierPeaks<'_>, x: impl Fn(u64) -> f64, errors: &Axis, within: Area) -> Markup {
    let placed: Vec<_> = tier
        .rows
        .iter()
        .filter_map(|row| Some((x(row.ring_bytes), errors.at(row.line.err_percent?), row)))
        .collect();
    let points: Vec<_> = placed.iter().map(|(x, y, row)| (*x, *y, row.line.id.as_str())).collect();
    html! {
        path.zero d=(format!("M{} {}H{}", px(within.left), px(errors.at(0.0)), px(RIGHT))) {}
        @for label in place(&points, SMALL_LETTERS, within) {
            text.name x=(px(label.area.left)) y=(px(label.area.bottom - 4.0)) { (label.text) }
        }
        @for (x, y, row) in placed { (point(row, x, y)) }
    }
}

/// The most that is drawn of peaks, in bytes.
fn reserved_end(tier: &TierPeaks<'_>) -> u64 {
    let rows =
        tier.rows.iter().flat_map(|row| [row.line.meas_reserved_bytes, row.published_bytes()]);
    let lines = [tier.predicted, tier.published].into_iter().flatten().map(|[_, (_, high)]| high);
    rows.flatten().chain(lines).max().unwrap_or(0)
}

/// The largest residual in percent, or what is small enough to call it none.
fn widest_error(tier: &TierPeaks<'_>) -> f64 {
    tier.rows.iter().filter_map(|row| row.line.err_percent).fold(0.05, |a, e| a.max(e.abs()))
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
            path.grid-line d=(format!("M{} {}H{}", px(left), px(tick.at), px(RIGHT))) {}
            text.axis x=(px(left - 5.0)) y=(px(tick.at + 4.0)) text-anchor="end" { (tick.label) }
        }
        @let at = format!("translate(11 {}) rotate(-90)", px(middle));
        text.axis transform=(at) text-anchor="middle" { (name) }
    }
}

/// The values under a chart, and what they are.
fn under(foot: f64, left: f64, ticks: &[Tick], name: &str) -> Markup {
    let kept = |tick: &&Tick| tick.at + width(&tick.label, SMALL_LETTERS) / 2.0 <= WIDTH;
    html! {
        path.axis-line d=(format!("M{} {}H{}", px(left), px(foot), px(RIGHT))) {}
        @for tick in ticks.iter().filter(kept) {
            path.axis-line d=(format!("M{} {}v4", px(tick.at), px(foot))) {}
            text.axis x=(px(tick.at)) y=(px(foot + 15.0)) text-anchor="middle" { (tick.label) }
        }
        text.axis x=(px((left + RIGHT) / 2.0)) y=(px(foot + 29.0)) text-anchor="middle" { (name) }
    }
}
