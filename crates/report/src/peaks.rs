//! Peaks of each tier's rows, measured, predicted and published, as they are drawn.

use std::collections::HashMap;

use crate::catalogue::Catalogue;
use crate::results::Line;
use crate::study::Study;
use crate::tier::unless_usual;
use crate::units::GIB;

/// A tier: its rows and its lines.
#[derive(Debug)]
pub(crate) struct TierPeaks<'a> {
    pub title: String,
    /// The largest ring term on the axis, in bytes.
    pub ring_end: u64,
    /// Predicted peak reserved, where the tier has constants.
    pub predicted: Option<Straight>,
    /// The same with the published constants.
    pub published: Option<Straight>,
    pub rows: Vec<RowPeak<'a>>,
}

/// A row: its ring term in bytes, and its line of the table.
#[derive(Debug)]
pub(crate) struct RowPeak<'a> {
    pub ring_bytes: u64,
    pub line: &'a Line,
}

/// Both ends of a line: ring term and peak reserved, in bytes.
pub(crate) type Straight = [(u64, u64); 2];

impl RowPeak<'_> {
    /// The peak reserved that was published for the row, in bytes.
    pub fn published_bytes(&self) -> Option<u64> {
        self.line.published.map(|published| (published.meas_reserved_gib * GIB) as u64)
    }
}

/// The tiers of a fit by the published model, in its order.
/// `lines` are its own.
pub(crate) fn of<'a>(
    study: &Study,
    catalogue: &Catalogue,
    lines: &'a [Line],
) -> Vec<TierPeaks<'a>> {
    let mut rows: HashMap<&str, Vec<RowPeak<'a>>> = HashMap::new();
    // Those of fitted rows come first.
    for ((run, row), line) in study.rows().zip(lines) {
        // It was fitted, so its terms are sizes.
        let ring = study.terms.values(&run.spec).ok().and_then(|terms| terms.first().copied());
        let placed = ring.map(|ring_bytes| RowPeak { ring_bytes, line });
        rows.entry(&row.tier).or_default().extend(placed);
    }
    let tiers = study.fit.tiers.iter().zip(&study.tiers);
    tiers
        .map(|(fitted, tier)| {
            let rows = rows.remove(fitted.tier.as_str()).unwrap_or_default();
            let largest = rows.iter().map(|row| row.ring_bytes).max().unwrap_or(0);
            let ring_end = largest.saturating_add(largest / 10);
            let anchored = if fitted.anchored { ", anchored" } else { "" };
            let key = &tier.key;
            let sizes = format!("{} x {}", key.ring_len, key.slot_dim);
            // A name that says the sizes, or the whole key, says less than these or is too long.
            let title = match tier.name.starts_with(|c: char| c.is_ascii_digit()) {
                true => format!("{sizes}, {}{}", key.precision, unless_usual(key.step, key.tape)),
                false => format!("{} ({sizes})", tier.name),
            } + anchored;
            TierPeaks {
                title,
                ring_end,
                predicted: straight(ring_end, |ring| Some(fitted.predict(&[ring])?.reserved_bytes)),
                published: catalogue.constants(key).and_then(|constants| {
                    straight(ring_end, |ring| Some(constants.predict(&[ring]).ok()?.reserved_bytes))
                }),
                rows,
            }
        })
        .collect()
}

/// The ends of a line up to `ring_end`. One with a negative base predicts nothing near zero: it begins
/// where it does. The published model rounds to no granule, so that it is straight between them.
fn straight(ring_end: u64, predict: impl Fn(u64) -> Option<u64>) -> Option<Straight> {
    let along = (0..=64).map(|i| (u128::from(ring_end) * i / 64) as u64);
    let mut known = along.filter_map(|ring| Some((ring, predict(ring)?)));
    let first = known.next()?;
    Some([first, known.last()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_where_it_predicts_something() {
        assert_eq!(straight(640, |ring| Some(2 * ring + 7)), Some([(0, 7), (640, 1287)]));
        assert_eq!(straight(640, |ring| ring.checked_sub(25)), Some([(30, 5), (640, 615)]));
        assert_eq!(straight(640, |_| None), None);
        let whole = straight(u64::MAX, Some).unwrap();
        assert_eq!(whole, [(0, 0), (u64::MAX, u64::MAX)]);
    }
}
