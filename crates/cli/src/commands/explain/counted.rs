//! A step without a ledger: what is alive at each phase, as a virtual card counts it.

use serde_json::json;
use vram_artifacts::run_record::RunRecord;
use vram_console::list_format::FORMATS;
use vram_metrics::phase::PhaseMark;
use vram_report::csv_text::csv_of;
use vram_report::predictor::counted_source;
use vram_report::table::{Column, Style, Table, or_dash};
use vram_report::units::gib;
use vram_source::escape;

/// For programs: `phases` as of a ledger, and what was reserved beside it.
pub(super) fn to_json(run: &RunRecord) -> String {
    let m = &run.metrics;
    let phases = |of: fn(&PhaseMark) -> u64| -> serde_json::Map<_, _> {
        let marks = m.phase_marks.iter();
        marks.map(|mark| (mark.phase.name().to_owned(), json!(of(mark)))).collect()
    };
    let json = json!({
        "peak_allocated_bytes": m.peak_vram_allocated_bytes,
        "peak_reserved_bytes": m.peak_vram_reserved_bytes,
        "phases": phases(|mark| mark.allocated_bytes),
        "reserved": phases(|mark| mark.reserved_bytes),
        "source": counted_source(run),
    });
    format!("{json:#}\n")
}

/// For spreadsheets: a row for each phase.
pub(super) fn to_csv(run: &RunRecord) -> String {
    let mark = |mark: &PhaseMark| {
        json!({
            "phase": mark.phase.name(),
            "allocated_bytes": mark.allocated_bytes,
            "reserved_bytes": mark.reserved_bytes,
        })
    };
    let marks: Vec<_> = run.metrics.phase_marks.iter().map(mark).collect();
    csv_of(&["phase", "allocated_bytes", "reserved_bytes"], &marks)
}

/// For reading.
pub(super) fn to_text(run: &RunRecord) -> String {
    let m = &run.metrics;
    let columns = [
        Column::text("phase", 0, |mark: &&PhaseMark| mark.phase.to_string()),
        Column::number("allocated bytes", 0, |m: &&PhaseMark| m.allocated_bytes.to_string()),
        Column::number("GiB", 0, |m: &&PhaseMark| gib(m.allocated_bytes)),
        Column::number("reserved bytes", 0, |m: &&PhaseMark| m.reserved_bytes.to_string()),
    ];
    let marks: Vec<&PhaseMark> = m.phase_marks.iter().collect();
    let table = Table::of(&columns, &marks).also_as(FORMATS).draw(Style::Terminal);
    let peak = |bytes| or_dash(bytes, |bytes| format!("{bytes} bytes ({} GiB)", gib(bytes)));
    format!(
        "{table}\npeak allocated: {}\npeak reserved: {}\nsource: {}\n",
        peak(m.peak_vram_allocated_bytes),
        peak(m.peak_vram_reserved_bytes),
        escape::line(&counted_source(run))
    )
}
