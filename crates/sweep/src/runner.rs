//! Rows, one probe process each: whatever happens to one, the next is unharmed.

use vram_artifacts::error::with_causes;
use vram_artifacts::events;
use vram_artifacts::run_record::{RunRecord, read};
use vram_launch::executable::Executable;
use vram_metrics::card_is_virtual;

use crate::device::SweepDevice;
use crate::error::SweepError;
use crate::event::{Event, Listener, RowEvent};
use crate::plan::Row;
use crate::preflight::{Preflight, Shortage, shortage};
use crate::probe_process::{self, Crash, Limits, Outcome};

/// What became of a row.
#[derive(Debug)]
pub enum RowOutcome {
    /// It has its artifacts, PASS or FAIL.
    Measured(Box<RunRecord>),
    /// It is predicted not to fit, and did not run.
    DoesNotFit(Shortage),
    /// A signal ended its process.
    Crashed(Crash),
    /// It has no artifacts for another reason.
    Lost(String),
    /// The sweep was ended while it ran.
    Interrupted,
    /// The sweep was ended before it ran.
    NotStarted,
}

/// A row and what became of it.
#[derive(Debug)]
pub struct RowResult {
    /// The row.
    pub row: Row,
    /// What became of it.
    pub outcome: RowOutcome,
}

/// What rows are measured with.
pub(crate) struct Runner {
    pub(crate) device: SweepDevice,
    pub(crate) probe: Executable,
    pub(crate) limits: Limits,
    /// Rows that were measured before are kept; on a virtual card none was.
    pub(crate) resume: bool,
    /// But for these, which are measured again.
    pub(crate) redo: Vec<String>,
    pub(crate) preflight: Preflight,
}

impl Runner {
    /// Measures every row that has to be.
    pub(crate) fn measure(&self, rows: Vec<Row>, listen: Listener<'_>) -> Vec<RowResult> {
        listen(Event::Rows(&rows));
        let results = rows.into_iter().map(|row| self.measure_row(row, listen));
        let results = results.collect();
        listen(Event::RowsOver);
        results
    }

    /// Takes a row from its plan to its outcome.
    pub(crate) fn measure_row(&self, mut row: Row, listen: Listener<'_>) -> RowResult {
        let _span = tracing::trace_span!("row", id = %row.id).entered();
        self.count(&mut row, listen);
        let outcome = self.outcome(&row, listen);
        RowResult { row, outcome }
    }

    fn outcome(&self, row: &Row, listen: Listener<'_>) -> RowOutcome {
        let is_redone = self.redo.contains(&row.id);
        let before = (self.resume && !is_redone).then(|| row.finished()).flatten();
        let was_virtual = before.as_ref().is_some_and(|record| record.env.virtual_card);
        if let Some(record) = before.filter(|_| !was_virtual) {
            listen(Event::Row(row, RowEvent::FinishedBefore(&record)));
            return RowOutcome::Measured(Box::new(record));
        }
        if self.limits.interrupt.signal().is_some() {
            return RowOutcome::NotStarted;
        }
        match self.shortage(row) {
            Some(shortage) if self.preflight == Preflight::Skip => {
                listen(Event::Row(row, RowEvent::DoesNotFit(&shortage)));
                return RowOutcome::DoesNotFit(shortage);
            }
            shortage => listen(Event::Row(row, RowEvent::Started(shortage.as_ref()))),
        }
        if was_virtual {
            listen(Event::Row(row, RowEvent::RanOnVirtualCard));
        } else if row.dir.exists() {
            match read(&row.dir) {
                Err(why) => listen(Event::Row(row, RowEvent::Unfinished(&with_causes(&why)))),
                Ok(_) => listen(Event::Row(row, RowEvent::Redone)),
            }
        }
        let outcome =
            self.run(row, listen).unwrap_or_else(|why| RowOutcome::Lost(with_causes(&why)));
        match &outcome {
            RowOutcome::Measured(record) => {
                listen(Event::Row(row, RowEvent::Measured(record)));
            }
            RowOutcome::Crashed(Crash { why, .. }) | RowOutcome::Lost(why) => {
                listen(Event::Row(row, RowEvent::Lost(why)));
            }
            RowOutcome::Interrupted => listen(Event::Row(row, RowEvent::Interrupted)),
            RowOutcome::DoesNotFit(_) | RowOutcome::NotStarted => {}
        }
        outcome
    }

    /// Lets a virtual card count what no ledger tells, where rows run on a real one. A row is measured
    /// without it, too.
    fn count(&self, row: &mut Row, listen: Listener<'_>) {
        let is_interrupted = || self.limits.interrupt.signal().is_some();
        if is_interrupted()
            || row.forecast.is_some()
            || self.device.card.is_none()
            || card_is_virtual()
        {
            return;
        }
        listen(Event::Row(row, RowEvent::Counting));
        if let Err(why) = row.count(self.probe.path(), &is_interrupted) {
            listen(Event::Row(row, RowEvent::NotCounted(&with_causes(&why))));
        }
    }

    /// Why the row does not fit, where that is of interest.
    fn shortage(&self, row: &Row) -> Option<Shortage> {
        if self.preflight == Preflight::Trust {
            return None;
        }
        shortage(row, self.device.memory())
    }

    fn run(&self, row: &Row, listen: Listener<'_>) -> Result<RowOutcome, SweepError> {
        row.set_aside()?;
        let device = self.device.choice().to_string();
        let observe = &mut |event: &events::Event| match event {
            events::Event::Started(_) => listen(Event::Row(row, RowEvent::Computing)),
            events::Event::Step(step) => listen(Event::Row(row, RowEvent::Step(step))),
            events::Event::Finished(_) => {}
        };
        let outcome = probe_process::run(&self.probe, row, &device, &self.limits, observe)?;
        Ok(match outcome {
            Outcome::Exited => match read(&row.dir) {
                Ok(record) => RowOutcome::Measured(Box::new(record)),
                Err(error) => {
                    let why = with_causes(&error);
                    RowOutcome::Lost(format!("left no readable artifacts: {why}"))
                }
            },
            Outcome::Crashed(crash) => RowOutcome::Crashed(crash),
            Outcome::Lost(why) => RowOutcome::Lost(why),
            Outcome::Interrupted => RowOutcome::Interrupted,
        })
    }
}
