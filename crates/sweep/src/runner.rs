//! Rows, one probe process each: whatever happens to one, the next is unharmed.

use std::sync::{Mutex, PoisonError};

use vram_artifacts::error::with_causes;
use vram_artifacts::events;
use vram_artifacts::run_record::{RunRecord, read};
use vram_launch::executable::Executable;
use vram_metrics::card_is_virtual;

use crate::device::SweepDevice;
use crate::error::SweepError;
use crate::event::{Event, Listener, RowEvent};
use crate::plan::{Row, longest_first};
use crate::preflight::{Preflight, Shortage, fits, shortage};
use crate::probe_process::{self, Crash, Limits, Outcome};
use crate::spread::{Done, Lane, spread};

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

impl RowOutcome {
    /// Whether the device may be why there is no sound measurement.
    fn may_be_device(&self) -> bool {
        match self {
            Self::Measured(record) => record.metrics.runtime_exception_msg.is_some(),
            Self::Crashed(_) | Self::Lost(_) => true,
            Self::DoesNotFit(_) | Self::Interrupted | Self::NotStarted => false,
        }
    }
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
    /// Each measures one row at a time.
    pub(crate) devices: Vec<SweepDevice>,
    pub(crate) probe: Executable,
    pub(crate) limits: Limits,
    /// Rows that were measured before are kept; on a virtual card none was, unless this is one, too.
    pub(crate) resume: bool,
    /// But for these, which are measured again.
    pub(crate) redo: Vec<String>,
    pub(crate) preflight: Preflight,
}

impl Runner {
    /// Measures every row that has to be, and returns them in their order. On several devices those run
    /// first that are predicted to take longest, so that none is left over for the end.
    pub(crate) fn measure(&self, rows: Vec<Row>, listen: Listener<'_>) -> Vec<RowResult> {
        listen(Event::Rows(&rows));
        let order = match self.devices.len() {
            1 => (0..rows.len()).collect(),
            _ => longest_first(&rows),
        };
        let suits = |row: &Row, device: &SweepDevice| {
            self.preflight == Preflight::Trust || fits(row, device.unused())
        };
        let listener = Mutex::new(listen);
        let work = |lane: Lane<'_>, row| {
            self.measure_row(lane, row, &mut |event: Event<'_>| tell(&listener, event))
        };
        let done = spread(&self.devices, rows, &order, &suits, &work);
        let results = done.into_iter().map(|done| self.over(done)).collect();
        tell(&listener, Event::RowsOver);
        results
    }

    /// Measures one row, on the first device.
    pub(crate) fn measure_only(&self, row: Row, listen: Listener<'_>) -> RowResult {
        self.over(self.measure_row(Lane { number: 0, device: &self.devices[0] }, row, listen))
    }

    /// What a row came to; one that was given back has no card left.
    fn over(&self, done: Done<RowResult, Row>) -> RowResult {
        match done {
            Done::Over(result) => result,
            Done::GivenBack(row) => RowResult { row, outcome: RowOutcome::Lost(self.none_left()) },
        }
    }

    /// Why a row was not measured that no card was left for.
    pub(crate) fn none_left(&self) -> String {
        let labels: Vec<String> = self.devices.iter().map(SweepDevice::label).collect();
        let have = if labels.len() == 1 { "has" } else { "have" };
        format!("no card is left to run it: {} {have} fallen off the bus", labels.join(", "))
    }

    /// Takes a row from its plan to its outcome; gives it back if its card fell away meanwhile.
    pub(crate) fn measure_row(
        &self,
        lane: Lane<'_>,
        mut row: Row,
        listen: Listener<'_>,
    ) -> Done<RowResult, Row> {
        let _span = tracing::trace_span!("row", id = %row.id).entered();
        self.count(lane, &mut row, listen);
        match self.outcome(lane, &row, listen) {
            Some(outcome) => Done::Over(RowResult { row, outcome }),
            None => Done::GivenBack(row),
        }
    }

    /// None if its card fell away meanwhile.
    fn outcome(&self, lane: Lane<'_>, row: &Row, listen: Listener<'_>) -> Option<RowOutcome> {
        let mut tell = |what: RowEvent<'_>| listen(Event::Row(lane.number, row, what));
        let is_redone = self.redo.contains(&row.id);
        let before = (self.resume && !is_redone).then(|| row.finished()).flatten();
        let is_measured = |record: &RunRecord| !record.env.virtual_card || card_is_virtual();
        let was_virtual = before.as_ref().is_some_and(|record| !is_measured(record));
        if let Some(record) = before.filter(is_measured) {
            tell(RowEvent::FinishedBefore(&record));
            return Some(RowOutcome::Measured(Box::new(record)));
        }
        if self.limits.interrupt.signal().is_some() {
            return Some(RowOutcome::NotStarted);
        }
        match self.shortage(lane, row) {
            Some(shortage) if self.preflight == Preflight::Skip => {
                tell(RowEvent::DoesNotFit(&shortage));
                return Some(RowOutcome::DoesNotFit(shortage));
            }
            shortage => tell(RowEvent::Started(shortage.as_ref())),
        }
        if was_virtual {
            tell(RowEvent::RanOnVirtualCard);
        } else if row.dir.exists() {
            match read(&row.dir) {
                Err(why) => tell(RowEvent::Unfinished(&with_causes(&why))),
                Ok(_) => tell(RowEvent::Redone),
            }
        }
        let outcome = self
            .run(lane, row, &mut tell)
            .unwrap_or_else(|why| RowOutcome::Lost(with_causes(&why)));
        if outcome.may_be_device() && lane.device.is_lost() {
            tell(RowEvent::CardLost);
            // What it left is no measurement of the row. Where it cannot be moved, the next attempt will
            // say so.
            let _ = row.set_aside();
            return None;
        }
        match &outcome {
            RowOutcome::Measured(record) => tell(RowEvent::Measured(record)),
            RowOutcome::Crashed(Crash { why, .. }) | RowOutcome::Lost(why) => {
                tell(RowEvent::Lost(why));
            }
            RowOutcome::Interrupted => tell(RowEvent::Interrupted),
            RowOutcome::DoesNotFit(_) | RowOutcome::NotStarted => {}
        }
        Some(outcome)
    }

    /// Lets a virtual card count what no ledger tells, where rows run on a real one. A row is measured
    /// without it, too.
    fn count(&self, lane: Lane<'_>, row: &mut Row, listen: Listener<'_>) {
        let is_interrupted = || self.limits.interrupt.signal().is_some();
        if is_interrupted()
            || row.forecast.is_some()
            || row.counted.is_some()
            || lane.device.card.is_none()
            || card_is_virtual()
        {
            return;
        }
        listen(Event::Row(lane.number, row, RowEvent::Counting));
        if let Err(why) = row.count(self.probe.path(), &is_interrupted) {
            listen(Event::Row(lane.number, row, RowEvent::NotCounted(&with_causes(&why))));
        }
    }

    /// Why the row does not fit, where that is of interest.
    fn shortage(&self, lane: Lane<'_>, row: &Row) -> Option<Shortage> {
        if self.preflight == Preflight::Trust {
            return None;
        }
        shortage(row, lane.device.memory())
    }

    fn run(
        &self,
        lane: Lane<'_>,
        row: &Row,
        tell: &mut dyn FnMut(RowEvent<'_>),
    ) -> Result<RowOutcome, SweepError> {
        row.set_aside()?;
        let observe = &mut |event: &events::Event| match event {
            events::Event::Started(_) => tell(RowEvent::Computing),
            events::Event::Step(step) => tell(RowEvent::Step(step)),
            events::Event::Finished(_) => {}
        };
        let device = lane.device.label();
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

/// Tells one after another what happens in several threads.
pub(crate) fn tell(listener: &Mutex<Listener<'_>>, event: Event<'_>) {
    (listener.lock().unwrap_or_else(PoisonError::into_inner))(event);
}
