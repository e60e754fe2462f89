//! What a report says, section by section.

use super::bytes::{ceiling, claims, phases};
use super::contents::{Contents, Figure, Part, Section};
use super::facts::facts;
use super::pairs::Pairs;
use super::prose::Prose;
use super::rows::{commands, times};
use super::{names, steps, tapes};
use crate::catalogue::Catalogue;
use crate::chart::drawing::Drawing;
use crate::chart::tier;
use crate::constants::constants;
use crate::peaks::{RowPeak, TierPeaks};
use crate::results::{Line, results};
use crate::runs::Runs;
use crate::study::Study;
use crate::table::Style;

/// Everything that is said of the runs, fitted by the published model and over all tiers. `lines` are those
/// of the former, `tiers` its rows as they are drawn.
pub(super) fn contents(
    runs: &Runs,
    [ring, pooled]: [&Study; 2],
    catalogue: &Catalogue,
    lines: &[Line],
    tiers: &[TierPeaks<'_>],
) -> Contents {
    let counters = Prose::new(
        "Peaks are the allocator's own counters over the measured steps: *allocated* is what the \
         program asked for, *reserved* what the allocator held. `error` is (predicted - measured) / \
         measured of reserved; `LOO` is the same for a fit without that row. How to read the table: \
         `docs/gpu/vram_breakdown_v1.md`.",
    );
    let mut published =
        model(ring, catalogue, lines, "The published model: a line per tier (`--terms ring`)");
    published.parts.push(Part::Figure(peaks(tiers)));
    published.parts.extend(beside_published(tiers).map(Part::Figure));
    let pooled = model(
        pooled,
        catalogue,
        &pooled.lines(catalogue),
        "Tape, whole states and activations over all tiers (`--terms ring,state,token`)",
    );
    let found = [
        Some(published),
        Some(pooled),
        Some(left_out(ring)),
        steps::both(runs, catalogue),
        tapes::both(runs, catalogue),
        claims(runs),
        ceiling(runs),
        Some(phases(runs)),
        Some(times(runs)),
        Some(commands(runs)),
    ];
    Contents {
        title: "Peak memory, predicted and measured",
        opening: facts(runs).into_iter().chain([Part::Prose(counters)]).collect(),
        sections: found.into_iter().flatten().collect(),
    }
}

fn model(study: &Study, catalogue: &Catalogue, lines: &[Line], title: &'static str) -> Section {
    let tables = [results(lines), constants(study, catalogue)];
    let parts = tables.map(|table| Part::Table(table, Style::Markdown)).into();
    Section { title, parts }
}

/// A panel for each tier.
pub(super) fn panels(tiers: &[TierPeaks<'_>]) -> Vec<Drawing> {
    tiers.iter().map(tier::draw).collect()
}

fn peaks(tiers: &[TierPeaks<'_>]) -> Figure {
    Figure {
        caption: "Predicted lines, measured points, residuals",
        legend: tier::legend(tiers),
        drawings: panels(tiers),
        file: Some(names::PLOT),
    }
}

/// Rows that were measured and have published figures; none where there is no such row.
fn beside_published(tiers: &[TierPeaks<'_>]) -> Option<Figure> {
    let pair = |row: &RowPeak<'_>| {
        let pair = [row.line.meas_reserved_bytes?, row.published_bytes()?];
        Some((row.line.id.clone(), pair))
    };
    let rows: Vec<_> = tiers.iter().flat_map(|tier| &tier.rows).filter_map(pair).collect();
    let kinds = [("measured", "measured"), ("published-row", "published")];
    let pairs = Pairs { what: "peak reserved", kinds, rows };
    pairs.figure("Peak reserved, measured here and published of another card")
}

fn left_out(study: &Study) -> Section {
    let part = match study.excluded.is_empty() {
        true => Part::Prose(Prose::new("Nothing.")),
        false => {
            let items = study.excluded.iter();
            Part::Items(items.map(|(id, reason)| (id.clone(), reason.to_string())).collect())
        }
    };
    Section { title: "Left out of the fit", parts: vec![part] }
}
