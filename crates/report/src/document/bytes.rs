//! The report's sections on where bytes go.

use std::collections::HashMap;
use std::rc::Rc;

use vram_metrics::phase::Phase;
use vram_source::escape;

use crate::run_ledger::ledger;
use crate::runs::Runs;
use crate::table::{Style, Table};
use crate::varied_sizes;

/// What reserved is made of, and what hits a card's ceiling: the pool's peak and what the process
/// holds beside it.
pub(super) fn ceiling(runs: &Runs) -> String {
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
        return String::new();
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
    let table = Table::new(header).with_rows(rows).draw(Style::Compact);
    format!(
        "\n## Reserved, and the card's ceiling\n\nBytes. Rounding is to the pool's granule, fragmentation \
         what is reserved beyond that. The guard is held against peak reserved; the ceiling feels \
         the context, too: what the process holds outside its memory pool.\n\n{table}"
    )
}

/// What the rows say of the published claims on each size.
pub(super) fn claims(runs: &Runs) -> String {
    let measured: Vec<_> = runs.measured().collect();
    let changes = varied_sizes::changes(&measured);
    let Some(first) = changes.first() else {
        return String::new();
    };
    let rows = changes.iter().map(|change| {
        let verdict = match change.confirmed() {
            Some(true) => "confirmed",
            Some(false) => "**refuted**",
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
    let base = escape::markdown(&first.base.id);
    format!(
        "\n## Linear in every size?\n\nThe published section 6 calls the peak linear in batch, \
         synth_len, ring_len, slot_dim and the bytes of an element. Each row differs from {base} in \
         one size; its elasticity is ln(peak ratio) / ln(factor): 1 is linear (here: within {}), 0 is \
         no effect. Precision counts bytes per element of the run's precision.\n\n{}",
        varied_sizes::LINEAR_WITHIN,
        Table::new(header).with_rows(rows).draw(Style::Compact)
    )
}

/// Phase by phase: what was measured beside what the ledger says, before anything runs.
pub(super) fn phases(runs: &Runs) -> String {
    // A probe's id names its sizes, and neither its step nor its tape.
    let mut ledgers = HashMap::new();
    let rows = runs.measured().flat_map(|run| {
        let m = &run.metrics;
        let device = m.device.as_str();
        let is_ours = m.artifact_version.is_some();
        let key = (m.probe_id.as_str(), m.step(), m.tape(), device, is_ours);
        let ledger = ledgers.entry(key).or_insert_with(|| Rc::new(ledger(run))).clone();
        let start = run.metrics.phase_marks.iter().find(|mark| mark.phase == Phase::Start);
        // On the CPU the process holds more than the step, from the start on.
        let before = start.map_or(0, |mark| mark.allocated_bytes);
        run.metrics.phase_marks.iter().map(move |mark| {
            let (allocated, reserved) = (mark.allocated_bytes, mark.reserved_bytes);
            let expected = (*ledger).as_ref().and_then(|l| l.at(mark.phase)?.checked_add(before));
            let (bytes, off) = match expected {
                Some(bytes) => {
                    let off = i128::from(allocated) - i128::from(bytes);
                    (bytes.to_string(), off.to_string())
                }
                None => ("-".to_owned(), "-".to_owned()),
            };
            [
                run.id.clone(),
                mark.phase.to_string(),
                allocated.to_string(),
                bytes,
                off,
                reserved.to_string(),
            ]
        })
    });
    let header =
        ["case", "phase", "allocated bytes", "ledger bytes", "difference", "reserved bytes"];
    let table = Table::new(header).with_rows(rows).draw(Style::Compact);
    format!(
        "\n## Phases of the last step\n\nThe ledger is what the step's own code asks for, counted \
         before anything ran (`vram explain`); on the CPU with what the process held at the start.\n\n\
         {table}"
    )
}
