//! Where the bytes are at the peak: for programs all of it, for a person the places that hold the most.

use serde::Serialize;
use vram_places::class::Class;
use vram_places::profile::{Profile, Share};

use super::blocks::Block;
use crate::table::{Column, Table};
use crate::units::grouped;
use crate::verdict_words::several;

/// Places that a table names.
pub(super) const NAMED: usize = 15;

/// What was alive at the peak.
#[derive(Debug, Serialize)]
pub(super) struct PlacesAtPeak<'a> {
    /// The card's number.
    pub card: u32,
    /// All that was alive: of pools and outside of them.
    pub peak_bytes: u64,
    pub peak_at_request: u64,
    /// The most bytes first.
    pub places: Vec<Share<'a>>,
}

impl<'a> PlacesAtPeak<'a> {
    pub fn new(profile: &'a Profile) -> Self {
        Self {
            card: profile.card,
            peak_bytes: profile.peak_bytes,
            peak_at_request: profile.peak_request,
            places: profile.at_peak(),
        }
    }

    /// Bytes as a part of the peak.
    fn part(&self, bytes: u64) -> String {
        match self.peak_bytes {
            0 => "-".to_owned(),
            peak => format!("{:.1} %", 100.0 * bytes as f64 / peak as f64),
        }
    }

    /// What each class holds, for those that hold something.
    fn classes(&self) -> String {
        let of = |class: Class| self.places.iter().filter(move |s| s.place.class == class);
        let held = Class::ALL.iter().filter(|class| of(**class).next().is_some());
        let parts = held.map(|class| {
            let bytes = of(*class).map(|share| share.bytes).sum();
            format!("{} {}", class.name(), self.part(bytes))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// A row: a place, or all that are not named.
struct Row {
    bytes: u64,
    allocations: u64,
    class: &'static str,
    place: String,
    at: String,
}

pub(super) fn block(found: &PlacesAtPeak<'_>) -> Block {
    let allocations: u64 = found.places.iter().map(|share| share.allocations).sum();
    let notes = vec![
        format!(
            "{} bytes in {} were alive at request {}:",
            grouped(found.peak_bytes),
            several(allocations, "allocation"),
            found.peak_at_request
        ),
        found.classes(),
    ];
    let rows = rows(&found.places);
    let mut columns = vec![
        Column::number("bytes", 0, |row: &Row| grouped(row.bytes)),
        Column::number("of peak", 0, |row: &Row| found.part(row.bytes)),
        Column::number("allocations", 2, |row: &Row| grouped(row.allocations)),
        Column::text("class", 1, |row: &Row| row.class.to_owned()),
        Column::shortened("place", |row: &Row| row.place.clone()),
    ];
    if rows.iter().any(|row| !row.at.is_empty()) {
        columns.push(Column::text("at", 3, |row: &Row| row.at.clone()));
    }
    let table = Table::of(&columns, &rows);
    Block::Rows { title: "Where the bytes are", notes, table }
}

fn rows(shares: &[Share<'_>]) -> Vec<Row> {
    // One that is left over takes no more room than a line that says so.
    let named = if shares.len() == NAMED + 1 { NAMED + 1 } else { NAMED.min(shares.len()) };
    let (named, rest) = shares.split_at(named);
    let mut rows: Vec<Row> = named
        .iter()
        .map(|share| Row {
            bytes: share.bytes,
            allocations: share.allocations,
            class: share.place.class.name(),
            place: share.place.label(),
            at: share.place.at(),
        })
        .collect();
    if !rest.is_empty() {
        rows.push(Row {
            bytes: rest.iter().map(|share| share.bytes).sum(),
            allocations: rest.iter().map(|share| share.allocations).sum(),
            class: "",
            place: format!("{} more", rest.len()),
            at: String::new(),
        });
    }
    rows
}
