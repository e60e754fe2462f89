//! `--find-max`: the largest batch of every workload that stays within the guard, measured.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use miette::miette;
use vram_cli::artifacts::RunRecord;
use vram_cli::budget::{Forecast, NO_LEDGER};
use vram_cli::room::Limit;
use vram_cli::study::{Runs, gib, short};
use vram_cli::{Reply, terminal};
use vram_presets::{Library, SweepRow};

use super::boundary::{Boundary, Seen, search};
use super::finish::{conclude, write_report};
use super::plan::{Row, occupied};
use super::progress::Progress;
use super::rows::{Fate, Runner, in_one_line};

/// A workload whose boundary is searched: with one sample, which stands for any number of them.
struct Searched {
    row: Row,
    forecast: Forecast,
}

/// One workload's search.
struct Found {
    row: Row,
    predicted: u64,
    boundary: Boundary,
}

/// What every search is made with; sizes in bytes.
pub struct Searches<'a> {
    pub runner: &'a Runner,
    pub library: &'a Library,
    pub dir: &'a Path,
    /// The most that a batch may reserve.
    pub limit: Limit,
}

impl Searches<'_> {
    /// Searches for the boundary of every workload among `rows`, whatever their batches.
    pub fn run(&self, rows: &[&SweepRow]) -> miette::Result<Reply> {
        let searched = self.distinct(rows)?;
        if !self.runner.resume {
            searched.iter().try_for_each(|one| refuse_searched(&one.row.row, self.dir))?;
        }
        let limit = self.limit.bytes;
        let free = self.runner.target.room().map_or(limit, |room| room.left_bytes());
        if free < limit {
            let (free, limit) = (gib(free), gib(limit));
            terminal::say(&format!(
                "{free} GiB are free now: a boundary between that and {limit} GiB is not seen"
            ));
        }
        let mut runs = Runs::default();
        let mut found = Vec::new();
        let mut failed = Vec::new();
        for Searched { row, forecast } in searched {
            match self.find(&row.row, &forecast, free, &mut runs.records) {
                Ok(boundary) => {
                    found.push(Found { predicted: forecast.most(limit.min(free)), boundary, row });
                }
                Err(why) => failed.push(format!("{}: {}", row.id, in_one_line(&why))),
            }
        }
        let written = write_report(&runs, self.library, self.dir);
        let exit = conclude(&failed, written, self.dir);
        let text = if found.is_empty() { String::new() } else { table(&found, &self.limit) };
        Ok(Reply { text, exit })
    }

    fn row(&self, row: SweepRow) -> miette::Result<Row> {
        Row::new(self.library, self.runner.target.kind(), &row, self.dir)
    }

    /// The first row of each workload, with one sample.
    fn distinct(&self, rows: &[&SweepRow]) -> miette::Result<Vec<Searched>> {
        let mut seen = BTreeSet::new();
        let mut first = Vec::new();
        for row in rows {
            let mut one = self.row(SweepRow { batch: 1, ..(*row).clone() })?;
            let forecast = one.forecast.take().ok_or_else(|| unpredicted(&one))?;
            if seen.insert(one.spec.probe_id(row.out_dim, row.amp)) {
                first.push(Searched { row: one, forecast });
            }
        }
        Ok(first)
    }

    fn find(
        &self,
        row: &SweepRow,
        forecast: &Forecast,
        free: u64,
        records: &mut Vec<RunRecord>,
    ) -> miette::Result<Boundary> {
        let most_within = |limit| forecast.most(limit);
        let predicted = |batch| forecast.reserved_bytes(batch);
        let probe = |batch| self.probe(row, batch, records);
        search(self.limit.bytes, free, most_within, predicted, probe)
    }

    /// Measures one batch of the row's workload.
    fn probe(
        &self,
        row: &SweepRow,
        batch: u64,
        records: &mut Vec<RunRecord>,
    ) -> miette::Result<Seen> {
        let row = self.row(SweepRow { id: probe_id(row, batch), batch, ..row.clone() })?;
        let mut progress = Progress::new(std::slice::from_ref(&row));
        let fate = self.runner.measure_row(&row, &mut progress);
        progress.finish();
        match fate {
            Fate::Measured(record) => {
                let seen = seen(&record);
                records.push(*record);
                seen
            }
            Fate::Crashed(crash) if crash.may_be_memory() => Ok(Seen::Refused),
            Fate::Crashed(crash) => Err(miette!("batch {batch}: {}", crash.why)),
            Fate::Predicted(shortage) => Err(miette!("batch {batch}: {shortage}")),
            Fate::Lost(why) => Err(miette!("batch {batch}: {why}")),
            Fate::NotRun => Err(miette!("interrupted")),
        }
    }
}

/// A search begins where a batch is predicted to be.
///
/// # Errors
///
/// The first row of which nothing is predicted.
pub fn refuse_unpredicted(rows: &[Row]) -> miette::Result<()> {
    rows.iter().find(|row| row.forecast.is_none()).map_or(Ok(()), |row| Err(unpredicted(row)))
}

fn unpredicted(row: &Row) -> miette::Report {
    miette!(
        help = "name fused rows with --only, or measure single batches: vram probe --step plain",
        "--find-max cannot search for row {}: {NO_LEDGER}, and a search begins at a prediction",
        row.id
    )
}

/// A directory that holds a search is continued on purpose or not at all.
fn refuse_searched(row: &SweepRow, dir: &Path) -> miette::Result<()> {
    let probes = probe_id(row, "");
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| name.starts_with(&probes)) {
        None => Ok(()),
        Some(name) => Err(occupied(&dir.join(name))),
    }
}

/// Id of the row's probe with this batch.
pub fn probe_id(row: &SweepRow, batch: impl Display) -> String {
    format!("{}-B{batch}", row.id)
}

/// What a run shows of its batch. One that failed for other reasons than memory shows nothing.
fn seen(record: &RunRecord) -> miette::Result<Seen> {
    let m = &record.metrics;
    match m.peak_vram_reserved_bytes {
        _ if m.had_oom => Ok(Seen::Refused),
        Some(bytes) if m.runtime_exception_msg.is_none() && !m.heartbeat_stall_detected => {
            Ok(Seen::Reserved(bytes))
        }
        _ => Err(miette!("batch {}: {}", m.batch_size, m.fail_reasons.join(", "))),
    }
}

fn table(found: &[Found], limit: &Limit) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "case",
        "ant x colony",
        "predicted",
        "max batch",
        "reserved GiB",
        "next",
        "next reserved GiB",
        "probes",
    ]);
    for Found { row, predicted, boundary } in found {
        let (batch, reserved) = boundary.within.map_or((0, "-".to_owned()), |(b, r)| (b, gib(r)));
        let (next, beyond) = boundary.beyond;
        table.add_row([
            row.id.clone(),
            format!("{} x {}", short(&row.row.ant), short(&row.row.colony)),
            predicted.to_string(),
            batch.to_string(),
            reserved,
            next.to_string(),
            match beyond {
                Seen::Reserved(bytes) => gib(bytes),
                Seen::Refused => "out of memory".to_owned(),
            },
            boundary.probes.to_string(),
        ]);
    }
    table.column_iter_mut().skip(2).for_each(|c| c.set_cell_alignment(CellAlignment::Right));
    let bytes = limit.bytes;
    format!(
        "{table}\nmax batch: measured within {} GiB ({bytes} bytes), by {limit}; next: one sample \
         more\n",
        gib(bytes)
    )
}
