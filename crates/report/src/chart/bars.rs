//! Bars of bytes under each other: each of parts, with what else is known marked on it.

use std::borrow::Cow;

use maud::{Markup, html};

use super::axis::Axis;
use super::drawing::{Drawing, LETTERS, SMALL_LETTERS, mark, px};
use super::text::{cut, width};
use crate::units::{fixed, unit};

/// Bars of one scale.
#[derive(Debug)]
pub(crate) struct Bars {
    /// In pixels.
    pub width: f64,
    pub title: String,
    /// What the bars are, at the foot.
    pub what: &'static str,
    /// The largest value on the scale, in bytes.
    pub end: u64,
    pub groups: Vec<Group>,
}

/// Bars that have a name together.
#[derive(Debug)]
pub(crate) struct Group {
    pub name: String,
    pub bars: Vec<Bar>,
}

/// A bar, what is marked on it, what is written after it, and what is said of it.
#[derive(Debug)]
pub(crate) struct Bar {
    pub parts: Vec<Part>,
    pub ticks: Vec<Part>,
    pub value: Option<u64>,
    pub says: Vec<String>,
}

/// Bytes of a class of colours.
#[derive(Debug)]
pub(crate) struct Part {
    pub class: Cow<'static, str>,
    pub bytes: u64,
}

/// The width of one drawing among others.
pub(crate) const WIDTH: f64 = 320.0;
/// Sizes in pixels: of the title and the foot, the least height of a group, a bar's own.
const TITLE: f64 = 24.0;
const FOOT: f64 = 36.0;
const GROUP: f64 = 24.0;
const BAR: f64 = 16.0;
const PAIRED: f64 = 14.0;
/// The room of names at the left and of values at the right, at the most.
const NAMES: f64 = 100.0;
const VALUES: f64 = 52.0;

/// The bars in the unit of the largest.
pub(crate) fn draw(bars: &Bars) -> Drawing {
    let (unit, size) = unit(bars.end as f64);
    let right = bars.width - VALUES;
    let names = bars.groups.iter().map(|group| width(&group.name, SMALL_LETTERS));
    let left = 8.0 + names.fold(0.0, f64::max).min(NAMES);
    let across = Axis::new(0.0..=bars.end as f64 / size, left, right);
    let high = |group: &Group| match group.bars.len() {
        0 | 1 => GROUP,
        several => PAIRED * several as f64 + 8.0,
    };
    let foot = TITLE + bars.groups.iter().map(high).sum::<f64>();
    let mut top = TITLE;
    let tops: Vec<f64> = bars
        .groups
        .iter()
        .map(|group| {
            let here = top;
            top += high(group);
            here
        })
        .collect();
    let marks = html! {
        text.title x="0" y="14" { (cut(&bars.title, LETTERS, bars.width)) title { (bars.title) } }
        (scale(&across, foot))
        text.axis x=(px((left + right) / 2.0)) y=(px(foot + 29.0)) text-anchor="middle" {
            (bars.what) ", " (unit)
        }
        @for (group, top) in bars.groups.iter().zip(tops) {
            @let high = high(group);
            text.axis x=(px(left - 6.0)) y=(px(top + high / 2.0 + 4.0)) text-anchor="end" {
                (cut(&group.name, SMALL_LETTERS, left - 8.0))
                title { (group.name) }
            }
            @let thick = if group.bars.len() > 1 { PAIRED } else { BAR };
            @for (i, bar) in group.bars.iter().enumerate() {
                (draw_bar(bar, &across, size, (top + 4.0 + thick * i as f64, thick)))
            }
        }
    };
    Drawing { width: bars.width, height: foot + FOOT, label: bars.title.clone(), marks }
}

fn scale(across: &Axis, foot: f64) -> Markup {
    html! {
        @for tick in across.ticks(5) {
            path.grid-line d=(format!("M{} {TITLE}V{}", px(tick.at), px(foot))) {}
            text.axis x=(px(tick.at)) y=(px(foot + 14.0)) text-anchor="middle" { (tick.label) }
        }
    }
}

fn draw_bar(bar: &Bar, across: &Axis, size: f64, (top, thick): (f64, f64)) -> Markup {
    let at = |bytes: u64| across.at(bytes as f64 / size);
    let (mut below, thick) = (0u64, thick - 1.0);
    let mut spans = Vec::new();
    for part in &bar.parts {
        let from = at(below);
        below = below.saturating_add(part.bytes);
        let wide = at(below) - from;
        // What is narrower is not seen.
        if wide >= 0.05 {
            spans.push((from, wide, &part.class));
        }
    }
    let shapes = html! {
        // What a finger can meet, and a bar of no length.
        @let along = format!("M{} {}H{}", px(at(0)), px(top + thick / 2.0), px(across.end()));
        path.reach d=(along) {}
        @for (from, wide, class) in spans {
            rect class=(class) x=(px(from)) y=(px(top)) width=(px(wide)) height=(px(thick)) {}
        }
        @for tick in &bar.ticks {
            @let line = format!("M{} {}v{}", px(at(tick.bytes)), px(top - 2.0), px(thick + 4.0));
            path class=(tick.class) d=(line) {}
        }
    };
    html! {
        (mark(&bar.says, &shapes))
        @if let Some(bytes) = bar.value {
            text.value x=(px(across.end() + 6.0)) y=(px(top + thick / 2.0 + 4.0)) {
                (fixed(bytes as f64 / size, if size > 1.0 { 3 } else { 0 }))
            }
        }
    }
}
