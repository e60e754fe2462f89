//! `--find-max`: the largest batch of every workload that stays within the guard, measured.

use std::collections::BTreeSet;
use std::path::Path;

use vram_artifacts::error::with_causes;
use vram_artifacts::run_record::RunRecord;
use vram_presets::library::Library;
use vram_presets::sweep::SweepRow;
use vram_report::memory_check::Limit;
use vram_report::predictor::Forecast;
use vram_workload::device_kind::DeviceKind;

use crate::batch_search::{Boundary, Seen, search};
use crate::error::SweepError;
use crate::event::{Event, Listener};
use crate::plan::{Row, batch_id};
use crate::runner::{RowOutcome, Runner};

/// A workload whose boundary is searched: with one sample, which stands for any number of them.
pub(crate) struct Searched {
    row: Row,
    forecast: Forecast,
}

/// One workload's search.
#[derive(Debug)]
pub struct Found {
    /// Its first row, with one sample.
    pub row: Row,
    /// The largest batch that was predicted to be within the limit.
    pub predicted: u64,
    /// What was measured.
    pub boundary: Boundary,
}

/// What searches came to.
#[derive(Debug, Default)]
pub struct Searches {
    /// Workloads whose boundary was found.
    pub found: Vec<Found>,
    /// Every run on the way.
    pub records: Vec<RunRecord>,
    /// Rows whose search failed, and why.
    pub failed: Vec<(String, String)>,
    /// Rows whose search had not begun when the sweep was ended.
    pub not_started: Vec<String>,
}

/// What every search is made with.
pub(crate) struct Search<'a> {
    pub(crate) runner: &'a Runner,
    pub(crate) library: &'a Library,
    pub(crate) dir: &'a Path,
    /// The most that a batch may reserve.
    pub(crate) limit: Limit,
}

impl Search<'_> {
    /// Searches for the boundary of each workload.
    pub(crate) fn run(&self, searched: Vec<Searched>, listen: Listener<'_>) -> Searches {
        let limit = self.limit.bytes;
        let free = self.runner.device.memory().map_or(limit, |memory| memory.left_bytes());
        if free < limit {
            listen(Event::FreeBelowLimit { free, limit });
        }
        let mut searches = Searches::default();
        listen(Event::Searches(searched.len()));
        for Searched { row, forecast } in searched {
            if self.runner.limits.interrupt.signal().is_some() {
                searches.not_started.push(row.id);
                continue;
            }
            listen(Event::Search(&row));
            match self.find(&row.row, &forecast, free, &mut searches.records, listen) {
                Ok(boundary) => {
                    let predicted = forecast.most(limit.min(free));
                    searches.found.push(Found { predicted, boundary, row });
                }
                Err(why) => searches.failed.push((row.id, why)),
            }
        }
        listen(Event::RowsOver);
        searches
    }

    fn find(
        &self,
        row: &SweepRow,
        forecast: &Forecast,
        free: u64,
        records: &mut Vec<RunRecord>,
        listen: Listener<'_>,
    ) -> Result<Boundary, String> {
        let most_within = |limit| forecast.most(limit);
        let predicted = |batch| forecast.reserved_bytes(batch);
        let probe = |batch| self.probe(row, batch, records, listen);
        search(self.limit.bytes, free, most_within, predicted, probe)
    }

    /// Measures one batch of the row's workload.
    fn probe(
        &self,
        row: &SweepRow,
        batch: u64,
        records: &mut Vec<RunRecord>,
        listen: Listener<'_>,
    ) -> Result<Seen, String> {
        let row = SweepRow { id: batch_id(row, batch), batch, ..row.clone() };
        let row = Row::new(self.library, self.runner.device.kind(), &row, self.dir)
            .map_err(|why| with_causes(&why))?;
        match self.runner.measure_row(row, listen).outcome {
            RowOutcome::Measured(record) => {
                let seen = seen(&record);
                records.push(*record);
                seen
            }
            RowOutcome::Crashed(crash) if crash.may_be_memory() => Ok(Seen::Refused),
            RowOutcome::Crashed(crash) => Err(format!("batch {batch}: {}", crash.why)),
            RowOutcome::DoesNotFit(shortage) => Err(format!("batch {batch}: {shortage}")),
            RowOutcome::Lost(why) => Err(format!("batch {batch}: {why}")),
            RowOutcome::Interrupted | RowOutcome::NotStarted => Err("interrupted".to_owned()),
        }
    }
}

/// The first row of each workload. A search begins where a batch is predicted to be.
///
/// # Errors
///
/// [`SweepError::Unpredicted`]: a row of which nothing is predicted.
pub(crate) fn plan(
    library: &Library,
    kind: DeviceKind,
    rows: &[&SweepRow],
    dir: &Path,
) -> Result<Vec<Searched>, SweepError> {
    let mut seen = BTreeSet::new();
    let mut first = Vec::new();
    for row in rows {
        let mut one = Row::new(library, kind, &SweepRow { batch: 1, ..(*row).clone() }, dir)?;
        let Some(forecast) = one.forecast.take() else {
            return Err(SweepError::Unpredicted { id: one.id });
        };
        if seen.insert(one.probe_id()) {
            first.push(Searched { row: one, forecast });
        }
    }
    Ok(first)
}

/// A directory that holds a search, or rows of a sweep, is continued on purpose or not at all.
pub(crate) fn refuse_occupied(searched: &[Searched], dir: &Path) -> Result<(), SweepError> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_of = |name: &str, row: &Row| {
        name.starts_with(&batch_id(&row.row, "")) || name.starts_with(&format!("{}_", row.id))
    };
    match names.find(|name| searched.iter().any(|one| is_of(name, &one.row))) {
        None => Ok(()),
        Some(name) => Err(SweepError::Occupied { dir: dir.join(name) }),
    }
}

/// What a run shows of its batch. One that failed for other reasons than memory shows nothing.
fn seen(record: &RunRecord) -> Result<Seen, String> {
    let m = &record.metrics;
    match m.peak_vram_reserved_bytes {
        _ if m.had_oom => Ok(Seen::Refused),
        Some(bytes) if m.runtime_exception_msg.is_none() && !m.heartbeat_stall_detected => {
            Ok(Seen::Reserved(bytes))
        }
        _ => Err(format!("batch {}: {}", m.batch_size, m.reasons())),
    }
}
