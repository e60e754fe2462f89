//! What is there of a plan's rows, and what Slurm says of the others.

use std::collections::HashMap;

use rayon::prelude::*;
use vram_artifacts::run_record::RunRecord;
use vram_artifacts::slurm_jobs::SlurmJobs;
use vram_artifacts::task::{TaskOutcome, TaskRecord};

use crate::plan::Row;
use crate::planned::Planned;
use crate::slurm::error::SlurmError;
use crate::slurm::states::{TaskState, states};

/// What is there of a plan's rows.
#[derive(Debug)]
pub struct Collected {
    /// What is there of every row of the plan, in its order.
    pub found: Vec<Found>,
    /// Why Slurm could not be asked about those without results, where it could not.
    pub unasked: Option<SlurmError>,
}

/// What is there of a row.
#[derive(Debug)]
pub enum Found {
    /// Its artifacts.
    Measured(Box<RunRecord>),
    /// It is predicted not to fit the machine of its task, and did not run; and why.
    DoesNotFit(String),
    /// No results.
    Nothing(Missing),
}

/// What is known of a row without results.
#[derive(Debug, Default)]
pub struct Missing {
    /// Its task's state; none where it was not submitted, or Slurm is not asked.
    pub state: Option<TaskState>,
    /// What its task left about it.
    pub why: Option<String>,
}

impl Missing {
    /// In a word: Slurm's where it has one.
    pub fn word(&self) -> &str {
        match (&self.state, &self.why) {
            (Some(TaskState { word: Some(word), .. }), _) => word,
            (_, Some(_)) => "lost",
            (Some(_), None) => "missing",
            (None, None) => "not begun",
        }
    }

    /// Whether its task is waiting or running.
    pub fn is_active(&self) -> bool {
        self.state.as_ref().is_some_and(TaskState::is_active)
    }

    /// All that is known of it.
    pub fn note(&self) -> String {
        let state = self.state.as_ref().map(ToString::to_string);
        let parts: Vec<String> = state.into_iter().chain(self.why.clone()).collect();
        if parts.is_empty() { self.word().to_owned() } else { parts.join(": ") }
    }
}

/// Reads what is there of a plan's rows, and asks Slurm about the others.
///
/// # Errors
///
/// The jobs of the run directory cannot be read. That Slurm does not answer is no error.
#[tracing::instrument(level = "trace", skip_all)]
pub fn collect(planned: &mut Planned) -> Result<Collected, SlurmError> {
    let jobs = SlurmJobs::read(&planned.dir)?;
    let mut found: Vec<Found> = planned.rows.par_iter_mut().map(found).collect();
    let mut without: HashMap<u64, &mut Missing> = HashMap::new();
    for (task, found) in planned.plan.rows.iter().zip(&mut found) {
        if let Found::Nothing(missing) = found {
            without.insert(task.index, missing);
        }
    }
    let indexes: Vec<u64> = without.keys().copied().collect();
    let unasked = match states(&jobs, &indexes, &planned.dir) {
        Ok(states) => {
            for (index, state) in states {
                if let Some(missing) = without.get_mut(&index) {
                    missing.state = Some(state);
                }
            }
            None
        }
        Err(why) => Some(why),
    };
    Ok(Collected { found, unasked })
}

/// Reads what is there of a row, and of what was counted of it.
fn found(row: &mut Row) -> Found {
    row.take_counted();
    if let Some(record) = row.finished().filter(|record| !record.env.virtual_card) {
        return Found::Measured(Box::new(record));
    }
    let task = TaskRecord::read(&row.dir);
    let nothing = |why| Found::Nothing(Missing { why, state: None });
    match task.map(|task| (task.outcome, task.why)) {
        Some((Some(TaskOutcome::DoesNotFit), why)) => Found::DoesNotFit(why.unwrap_or_default()),
        Some((Some(TaskOutcome::Interrupted), _)) => nothing(Some("interrupted".to_owned())),
        Some((_, why)) => nothing(why),
        None => nothing(None),
    }
}
