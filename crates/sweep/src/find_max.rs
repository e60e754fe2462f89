//! `--find-max`: the largest batch of every workload that stays within the guard, measured.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use vram_artifacts::error::with_causes;
use vram_artifacts::run_record::RunRecord;
use vram_presets::library::Library;
use vram_presets::sweep::SweepRow;
use vram_report::memory_check::Limit;
use vram_report::predictor::Forecast;
use vram_workload::device_kind::DeviceKind;

use crate::batch_search::{Boundary, Seen, search};
use crate::device::SweepDevice;
use crate::error::SweepError;
use crate::event::{Event, Listener};
use crate::plan::{Row, batch_id};
use crate::runner::{RowOutcome, Runner, tell};
use crate::spread::{Done, Lane, spread};

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
    /// Searches for the boundary of each workload, on each device one at a time.
    pub(crate) fn run(&self, searched: Vec<Searched>, listen: Listener<'_>) -> Searches {
        let limit = self.limit.bytes;
        let left = |device: &SweepDevice| device.memory().map(|memory| memory.left_bytes());
        let free = self.runner.devices.iter().filter_map(left).min().unwrap_or(limit);
        if free < limit {
            listen(Event::FreeBelowLimit { free, limit });
        }
        listen(Event::Searches(searched.len()));
        let listener = Mutex::new(listen);
        let work = |lane: Lane<'_>, searched: Searched| {
            let listen = &mut |event: Event<'_>| tell(&listener, event);
            if self.runner.limits.interrupt.signal().is_some() {
                return Done::Over((searched, Vec::new(), Err(NotFound::NotStarted)));
            }
            listen(Event::Search(lane.number, &searched.row));
            let mut records = Vec::new();
            match self.find(lane, &searched, free, &mut records, listen) {
                Err(NotFound::CardLost) => Done::GivenBack(searched),
                found => Done::Over((searched, records, found)),
            }
        };
        let order: Vec<usize> = (0..searched.len()).collect();
        let done = spread(&self.runner.devices, searched, &order, &|_, _| true, &work);
        let mut searches = Searches::default();
        for done in done {
            let (Searched { row, forecast }, records, found) = match done {
                Done::Over(found) => found,
                Done::GivenBack(searched) => {
                    (searched, Vec::new(), Err(NotFound::Failed(self.runner.none_left())))
                }
            };
            searches.records.extend(records);
            match found {
                Ok(boundary) => {
                    let predicted = forecast.most(limit.min(free));
                    searches.found.push(Found { predicted, boundary, row });
                }
                Err(NotFound::Failed(why)) => searches.failed.push((row.id, why)),
                Err(NotFound::NotStarted | NotFound::CardLost) => searches.not_started.push(row.id),
            }
        }
        tell(&listener, Event::RowsOver);
        searches
    }

    fn find(
        &self,
        lane: Lane<'_>,
        searched: &Searched,
        free: u64,
        records: &mut Vec<RunRecord>,
        listen: Listener<'_>,
    ) -> Result<Boundary, NotFound> {
        let Searched { row, forecast } = searched;
        let most_within = |limit| forecast.most(limit);
        let predicted = |batch| forecast.reserved_bytes(batch);
        let mut is_lost = false;
        let probe = |batch| {
            self.probe(lane, &row.row, batch, records, listen).unwrap_or_else(|| {
                is_lost = true;
                Err(format!("batch {batch}: the card fell away"))
            })
        };
        let found = search(self.limit.bytes, free, most_within, predicted, probe);
        found.map_err(|why| if is_lost { NotFound::CardLost } else { NotFound::Failed(why) })
    }

    /// Measures one batch of the row's workload; none if its card fell away meanwhile.
    fn probe(
        &self,
        lane: Lane<'_>,
        row: &SweepRow,
        batch: u64,
        records: &mut Vec<RunRecord>,
        listen: Listener<'_>,
    ) -> Option<Result<Seen, String>> {
        let row = SweepRow { id: batch_id(row, batch), batch, ..row.clone() };
        let row = match Row::new(self.library, lane.device.kind(), &row, self.dir) {
            Ok(row) => row,
            Err(why) => return Some(Err(with_causes(&why))),
        };
        let Done::Over(result) = self.runner.measure_row(lane, row, listen) else { return None };
        Some(match result.outcome {
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
        })
    }
}

/// Why a search came to no boundary.
enum NotFound {
    /// What was measured, or could not be, tells none.
    Failed(String),
    /// The sweep was ended before.
    NotStarted,
    /// Its card fell away.
    CardLost,
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
