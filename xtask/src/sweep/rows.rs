//! Rows, one probe process each: whatever happens to one, the next is unharmed.

use vram_cli::artifacts::{self, RunRecord};
use vram_cli::budget::NO_LEDGER;
use vram_cli::device::Executable;
use vram_cli::events::Step;

use super::binary::Target;
use super::child::{self, Crash, Limits, Outcome};
use super::plan::Row;
use super::progress::Progress;
use super::room::{Shortage, shortage};

/// What became of a row.
pub enum Fate {
    Measured(Box<RunRecord>),
    /// Predicted not to fit, and not run.
    Predicted(Shortage),
    /// A signal ended its process.
    Crashed(Crash),
    /// It has no artifacts for another reason.
    Lost(String),
    /// The sweep was ended before or while it ran.
    NotRun,
}

/// What rows are measured with.
pub struct Runner {
    pub target: Target,
    pub probe: Executable,
    pub limits: Limits,
    /// Rows that were measured before are kept.
    pub resume: bool,
    pub preflight: Preflight,
}

/// What becomes of a row that is predicted not to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// It does not run.
    Skip,
    /// It is told, and runs.
    Tell,
    /// It runs: the search for a boundary goes beyond it on purpose.
    Trust,
}

impl Runner {
    /// Measures every row that has to be.
    pub fn measure(&self, rows: &[Row]) -> Vec<Fate> {
        let mut progress = Progress::new(rows);
        let fates = rows.iter().map(|row| self.measure_row(row, &mut progress)).collect();
        progress.finish();
        fates
    }

    /// Measures a row if it has to be.
    pub fn measure_row(&self, row: &Row, progress: &mut Progress) -> Fate {
        if let Some(record) = self.resume.then(|| row.finished()).flatten() {
            progress.skip(row, "finished before");
            return Fate::Measured(Box::new(record));
        }
        if self.limits.interrupt.exit().is_some() {
            return Fate::NotRun;
        }
        match self.shortage(row) {
            Some(shortage) if self.preflight == Preflight::Skip => {
                progress.skip(row, &format!("not run: {shortage}"));
                return Fate::Predicted(shortage);
            }
            shortage => {
                progress.start(row);
                if row.forecast.is_none() {
                    progress.line(row, &format!("runs without a prediction: {NO_LEDGER}"));
                }
                if let Some(shortage) = shortage {
                    progress.line(row, &format!("runs all the same: {shortage}"));
                }
            }
        }
        let fate = self.run(row, progress).unwrap_or_else(|why| Fate::Lost(in_one_line(&why)));
        match &fate {
            Fate::Measured(record) => progress.done(row, record),
            Fate::Predicted(_) | Fate::NotRun => {}
            Fate::Crashed(crash) => progress.lost(row, &crash.why),
            Fate::Lost(why) => progress.lost(row, why),
        }
        fate
    }

    /// Why the row has no room, where that is of interest.
    fn shortage(&self, row: &Row) -> Option<Shortage> {
        match self.preflight {
            Preflight::Trust => None,
            Preflight::Skip | Preflight::Tell => shortage(row.predicted(), self.target.room()),
        }
    }

    fn run(&self, row: &Row, progress: &mut Progress) -> miette::Result<Fate> {
        row.set_aside()?;
        let device = self.target.choice().to_string();
        let observe = &mut |step: &Step| progress.step(row, step);
        Ok(match child::run(&self.probe, row, &device, &self.limits, observe)? {
            Outcome::Exited => match artifacts::read(&row.dir) {
                Ok(record) => Fate::Measured(Box::new(record)),
                Err(error) => {
                    let why = in_one_line(&error.into());
                    Fate::Lost(format!("left no readable artifacts: {why}"))
                }
            },
            Outcome::Crashed(crash) => Fate::Crashed(crash),
            Outcome::Lost(why) => Fate::Lost(why),
            Outcome::Interrupted => Fate::NotRun,
        })
    }
}

/// An error with its causes.
pub fn in_one_line(error: &miette::Report) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
