//! One row of a plan, as a task of whoever schedules it: `vram sweep --row-index N DIR`.

use std::path::Path;
use std::slice;
use std::time::Duration;

use vram_artifacts::error::with_causes;
use vram_artifacts::names;
use vram_artifacts::plan::PlanFile;
use vram_artifacts::task::{TaskOutcome, TaskRecord};
use vram_launch::choice::DeviceChoice;
use vram_presets::library::Library;
use vram_workload::device_kind::DeviceKind;

use crate::device::{Executables, SweepDevice};
use crate::error::SweepError;
use crate::event::{Event, Listener, RowEvent};
use crate::interrupt::Interrupt;
use crate::lock::Lock;
use crate::plan::Row;
use crate::planned;
use crate::preflight::Preflight;
use crate::probe_process::Limits;
use crate::runner::{RowOutcome, RowResult, Runner};
use crate::signal::Signal;

/// What a task came to.
#[derive(Debug)]
pub struct Done {
    /// The row and what became of it.
    pub result: RowResult,
    /// The signal that ended it early.
    pub signal: Option<Signal>,
}

/// Measures the row of this index of the plan in `dir`, which has to be the working directory: the
/// plan's paths begin there. A row that is finished is kept, an unfinished attempt is set aside.
///
/// # Errors
///
/// What can be refused before anything runs; a row that somebody else measures is, too.
pub fn run(dir: &Path, index: u64, listen: Listener<'_>) -> Result<Done, SweepError> {
    let plan = PlanFile::read(dir)?;
    let Some(task) = plan.rows.iter().find(|task| task.index == index) else {
        return Err(SweepError::NoTask { dir: dir.to_owned(), index, rows: plan.rows.len() });
    };
    let library = Library::discover(dir);
    let kind = planned::kind(&plan, dir)?;
    // The first of the cards that the scheduler lets it see.
    let choice = match kind {
        DeviceKind::Cpu => DeviceChoice::Cpu,
        DeviceKind::Cuda => DeviceChoice::Cuda(0),
    };
    let executables = dir.join(names::EXECUTABLES);
    let (device, probe) = SweepDevice::choose(choice, Executables::In(&executables), &library)?;
    let devices = vec![device];
    listen(Event::Devices(&devices));
    let row = Row::new(&library, kind, &task.row(), dir)?;
    let row = Row { dir: dir.join(&task.dir), ..row };
    let probe = probe.executable(&devices)?;
    let _locks = Lock::take_row(dir, index)?;
    let interrupt = Interrupt::caught()?;
    let timeout = plan.row_timeout_s.map(Duration::from_secs);
    let limits = Limits { interrupt: interrupt.clone(), timeout };
    let preflight = if plan.no_preflight { Preflight::Tell } else { Preflight::Skip };
    let runner = Runner { devices, probe, limits, resume: true, redo: Vec::new(), preflight };
    listen(Event::Rows(slice::from_ref(&row)));
    let result = measure(&runner, row, index, listen);
    listen(Event::RowsOver);
    Ok(Done { result, signal: interrupt.signal() })
}

/// Measures the row, and leaves in its directory which task did and what came of it.
fn measure(runner: &Runner, row: Row, index: u64, listen: Listener<'_>) -> RowResult {
    let now = || jiff::Timestamp::now().to_string();
    let mut record = TaskRecord::new(index, now(), |name| std::env::var(name).ok());
    let mut was_finished = false;
    let result = runner.measure_only(row, &mut |event| {
        match &event {
            Event::Row(_, _, RowEvent::FinishedBefore(_)) => was_finished = true,
            Event::Row(_, row, RowEvent::Computing) => write(&record, row),
            _ => {}
        }
        listen(event);
    });
    let (outcome, why) = match &result.outcome {
        RowOutcome::Measured(_) => (TaskOutcome::Measured, None),
        RowOutcome::DoesNotFit(why) => (TaskOutcome::DoesNotFit, Some(why.to_string())),
        RowOutcome::Crashed(crash) => (TaskOutcome::Lost, Some(crash.why.clone())),
        RowOutcome::Lost(why) => (TaskOutcome::Lost, Some(why.clone())),
        RowOutcome::Interrupted | RowOutcome::NotStarted => (TaskOutcome::Interrupted, None),
    };
    if !was_finished {
        record.generated_utc = now();
        (record.outcome, record.why) = (Some(outcome), why);
        write(&record, &result.row);
    }
    result
}

/// A record that cannot be written takes nothing from the row: the scheduler knows its tasks, too.
fn write(record: &TaskRecord, row: &Row) {
    let made = std::fs::create_dir_all(&row.dir);
    let written = made.map_err(|why| why.to_string());
    let written = written.and_then(|()| record.write(&row.dir).map_err(|why| with_causes(&why)));
    if let Err(why) = written {
        tracing::warn!("{}: {} is not written: {why}", row.id, names::TASK);
    }
}
