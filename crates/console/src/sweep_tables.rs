//! What a sweep came to, as it is printed.

use serde_json::{Value, json};
use vram_presets::name::short;
use vram_report::catalogue::Catalogue;
use vram_report::constants::constants_table;
use vram_report::csv_text::csv_of;
use vram_report::document::Studies;
use vram_report::memory_check::Limit;
use vram_report::results::{Line, excluded_lines, results_csv, results_table};
use vram_report::study::Study;
use vram_report::study_json::{line_json, study_json};
use vram_report::table::{Column, Style, Table, or_dash};
use vram_report::units::gib;
use vram_sweep::batch_search::Seen;
use vram_sweep::find_max::{Found, Searches};

use crate::list_format::{FORMATS, ListFormat};

/// Measured rows, by both models, and the rows that were not measured.
pub(crate) fn of_rows(
    format: ListFormat,
    studies: &Studies,
    catalogue: &Catalogue,
    unmeasured: &[Line],
) -> String {
    let Studies { ring, pooled } = studies;
    match format {
        ListFormat::Table => tables(studies, catalogue, unmeasured),
        ListFormat::Json => {
            let json = json!({
                "ring": study_json(ring, catalogue),
                "pooled": study_json(pooled, catalogue),
                "unmeasured": unmeasured.iter().map(line_json).collect::<Vec<_>>(),
            });
            format!("{json:#}\n")
        }
        ListFormat::Csv => results_csv(&[ring.lines(catalogue), unmeasured.to_vec()].concat()),
    }
}

fn tables(studies: &Studies, catalogue: &Catalogue, unmeasured: &[Line]) -> String {
    let table = |title: &str, study: &Study, more: &[Line]| {
        let lines = [study.lines(catalogue), more.to_vec()].concat();
        // Where nothing was measured there is nothing to show of a model.
        if lines.is_empty() {
            return String::new();
        }
        let results = results_table(&lines, Style::Terminal);
        if study.fit.tiers.is_empty() {
            return format!("\n{title}\n{results}");
        }
        let constants = constants_table(study, catalogue, Style::Terminal);
        format!("\n{title}\n{results}\n{constants}")
    };
    let Studies { ring, pooled } = studies;
    table("published model, a line per tier (--terms ring)", ring, unmeasured)
        + &excluded_lines(ring)
        + &table("pooled over tiers (--terms ring,state,token)", pooled, &[])
}

/// The largest batches; `how` says how it is known what a batch reserves.
pub(crate) fn of_searches(
    format: ListFormat,
    searches: &Searches,
    limit: &Limit,
    how: &str,
) -> String {
    let records = || -> Vec<Value> { searches.found.iter().map(record).collect() };
    match format {
        ListFormat::Table if searches.found.is_empty() => String::new(),
        ListFormat::Table => largest_table(&searches.found, limit, how),
        ListFormat::Json => {
            let failed = searches.failed.iter().map(|(id, why)| json!({ "id": id, "why": why }));
            let json = json!({
                "limit_bytes": limit.bytes,
                "limited_by": limit.bound,
                "known": how,
                "found": records(),
                "failed": failed.collect::<Vec<_>>(),
                "not_started": searches.not_started,
            });
            format!("{json:#}\n")
        }
        ListFormat::Csv => csv_of(
            &[
                "id",
                "ant",
                "colony",
                "predicted_batch",
                "max_batch",
                "reserved_bytes",
                "next_batch",
                "next_reserved_bytes",
                "next_out_of_memory",
                "probes",
            ],
            &records(),
        ),
    }
}

/// A search for programs, sizes in bytes.
fn record(Found { row, predicted, boundary }: &Found) -> Value {
    let (max_batch, reserved_bytes) = boundary.within.unzip();
    let (next_batch, beyond) = boundary.beyond;
    let next_reserved_bytes = match beyond {
        Seen::Reserved(bytes) => Some(bytes),
        Seen::Refused => None,
    };
    json!({
        "id": row.id,
        "ant": row.row.ant,
        "colony": row.row.colony,
        "predicted_batch": predicted,
        "max_batch": max_batch.unwrap_or(0),
        "reserved_bytes": reserved_bytes,
        "next_batch": next_batch,
        "next_reserved_bytes": next_reserved_bytes,
        "next_out_of_memory": beyond == Seen::Refused,
        "probes": boundary.probes,
    })
}

fn largest_table(found: &[Found], limit: &Limit, how: &str) -> String {
    let beyond = |found: &Found| match found.boundary.beyond.1 {
        Seen::Reserved(bytes) => gib(bytes),
        Seen::Refused => "out of memory".to_owned(),
    };
    let columns = [
        Column::text("case", 0, |found: &Found| found.row.id.clone()),
        Column::text("ant x colony", 4, |found: &Found| {
            format!("{} x {}", short(&found.row.row.ant), short(&found.row.row.colony))
        }),
        Column::number("predicted", 1, |found: &Found| found.predicted.to_string()),
        Column::number("max batch", 0, |found: &Found| {
            found.boundary.within.map_or(0, |(batch, _)| batch).to_string()
        }),
        Column::number("reserved GiB", 0, |found: &Found| {
            or_dash(found.boundary.within, |(_, reserved)| gib(reserved))
        }),
        Column::number("next", 2, |found: &Found| found.boundary.beyond.0.to_string()),
        Column::number("next reserved GiB", 2, beyond),
        Column::number("probes", 3, |found: &Found| found.boundary.probes.to_string()),
    ];
    let table = Table::of(&columns, found).also_as(FORMATS).draw(Style::Terminal);
    let bytes = limit.bytes;
    format!(
        "{table}max batch: {how} within {} GiB ({bytes} bytes), by {limit}; next: one sample \
         more\n",
        gib(bytes)
    )
}
