//! The report's sections on where bytes go.

use super::contents::{Figure, Part, Section};
use super::prose::Prose;
use crate::phase_chart;
use crate::phases;
use crate::runs::Runs;
use crate::table::{Style, Table};
use crate::varied_sizes;

/// Rows whose phases are drawn: a page with a drawing of each of 10,000 is more than a browser shows.
const MOST_DRAWN: usize = 200;

/// What reserved is made of, and what hits a card's ceiling: the pool's peak and what the process
/// holds beside it.
pub(super) fn ceiling(runs: &Runs) -> Option<Section> {
    let rows: Vec<[String; 8]> = runs
        .measured()
        .filter_map(|run| {
            let m = &run.metrics;
            let (allocated, reserved) = (m.peak_vram_allocated_bytes?, m.peak_vram_reserved_bytes?);
            // None for a granule of no size, and beyond 64 bits.
            let rounded = allocated.checked_next_multiple_of(m.pool_granule_bytes?)?;
            let (context, sum) = (m.context_bytes?, m.peak_card_bytes?);
            let part = 100.0 * sum as f64 / m.total_vram_bytes? as f64;
            Some([
                run.id.clone(),
                allocated.to_string(),
                (rounded - allocated).to_string(),
                (i128::from(reserved) - i128::from(rounded)).to_string(),
                reserved.to_string(),
                context.to_string(),
                sum.to_string(),
                format!("{part:.1}"),
            ])
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let header = [
        "case",
        "peak allocated",
        "+ rounding",
        "+ fragmentation",
        "= peak reserved",
        "+ context",
        "= on the card",
        "% of it",
    ];
    let says = Prose::new(
        "Bytes. Rounding is to the pool's granule, fragmentation what is reserved beyond that. The guard \
         is held against peak reserved; the ceiling feels the context, too: what the process holds \
         outside its memory pool.",
    );
    let table = Table::new(header).numbers_from(1).with_rows(rows);
    let parts = vec![Part::Prose(says), Part::Table(table, Style::Compact)];
    Some(Section { title: "Reserved, and the card's ceiling", parts })
}

/// What the rows say of the published claims on each size.
pub(super) fn claims(runs: &Runs) -> Option<Section> {
    let measured: Vec<_> = runs.measured().collect();
    let changes = varied_sizes::changes(&measured);
    let first = changes.first()?;
    let rows = changes.iter().map(|change| {
        let verdict = match change.confirmed() {
            Some(true) => "confirmed",
            Some(false) => "refuted",
            None => "not claimed",
        };
        [
            change.size.name().to_owned(),
            change.other.id.clone(),
            format!("{:.3}", change.factor),
            format!("{:.4}", change.elasticity),
            verdict.to_owned(),
        ]
    });
    let header = ["size", "row", "factor", "elasticity of peak allocated", "linear?"];
    let says = Prose::new(format!(
        "The published section 6 calls the peak linear in batch, synth_len, ring_len, slot_dim and the \
         bytes of an element. Each row differs from {{}} in one size; its elasticity is ln(peak ratio) / \
         ln(factor): 1 is linear (here: within {}), 0 is no effect. Precision counts bytes per element of \
         the run's precision.",
        varied_sizes::LINEAR_WITHIN
    ));
    let table = Table::new(header).with_rows(rows);
    let parts = vec![Part::Prose(says.with(&first.base.id)), Part::Table(table, Style::Compact)];
    Some(Section { title: "Linear in every size?", parts })
}

/// Phase by phase: what was measured beside what the ledger says, before anything runs.
pub(super) fn phases(runs: &Runs) -> Section {
    let found = phases::of(runs);
    let rows = found.iter().flat_map(|run| {
        run.phases.iter().map(|phase| {
            let (allocated, reserved) =
                (phase.measured.allocated_bytes, phase.measured.reserved_bytes);
            let (bytes, off) = match &phase.expected {
                Some(expected) => {
                    let off = i128::from(allocated) - i128::from(expected.total);
                    (expected.total.to_string(), off.to_string())
                }
                None => ("-".to_owned(), "-".to_owned()),
            };
            [
                run.run.id.clone(),
                phase.measured.phase.to_string(),
                allocated.to_string(),
                bytes,
                off,
                reserved.to_string(),
            ]
        })
    });
    let header =
        ["case", "phase", "allocated bytes", "ledger bytes", "difference", "reserved bytes"];
    let says = Prose::new(
        "The ledger is what the step's own code asks for, counted before anything ran (`vram explain`); \
         on the CPU with what the process held at the start.",
    );
    let figure = Figure {
        caption: "What is held at each phase, by kind of buffer",
        legend: phase_chart::legend(&found),
        drawings: found.iter().filter_map(phase_chart::of_run).take(MOST_DRAWN).collect(),
        file: None,
    };
    let table = Table::new(header).numbers_from(2).with_rows(rows);
    let has_drawing = !figure.drawings.is_empty();
    let others = (figure.drawings.len() == MOST_DRAWN && found.len() > MOST_DRAWN)
        .then(|| Part::Prose(Prose::new(format!("The first {MOST_DRAWN} rows are drawn."))));
    let figure = Some(Part::Figure(figure)).filter(|_| has_drawing);
    let table = Part::Table(table, Style::Compact);
    let parts = [Some(Part::Prose(says)), others, figure, Some(table)];
    Section { title: "Phases of the last step", parts: parts.into_iter().flatten().collect() }
}
