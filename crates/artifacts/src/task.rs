//! `task.json`: which task measured a row, and what came of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vram_source::file::read_text;

use crate::atomic::{json, write_atomically};
use crate::error::ArtifactError;
use crate::names;
use crate::version::ARTIFACT_VERSION;

/// `task.json`: which task measured a row, and what came of it where it left no artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// See [`ARTIFACT_VERSION`].
    pub artifact_version: String,
    /// The row's index in the plan.
    pub index: u64,
    /// What the scheduler said of the task in its environment: `SLURM_JOB_ID` and others, which
    /// name its log.
    pub environment: BTreeMap<String, String>,
    /// When this was written, UTC.
    pub generated_utc: String,
    /// What became of the row; null while it runs, and where the task was ended with it.
    pub outcome: Option<TaskOutcome>,
    /// Why, where it has no artifacts.
    pub why: Option<String>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// It has its artifacts, PASS or FAIL.
    Measured,
    /// It is predicted not to fit the machine of the task, and did not run.
    DoesNotFit,
    /// It has no artifacts.
    Lost,
    /// The task was ended while it ran.
    Interrupted,
}

/// What schedulers say of a task.
const VARIABLES: [&str; 9] = [
    "HQ_JOB_ID",
    "HQ_TASK_ID",
    "SLURMD_NODENAME",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_CLUSTER_NAME",
    "SLURM_JOB_ID",
    "SLURM_JOB_PARTITION",
    "SLURM_RESTART_COUNT",
];

impl TaskRecord {
    /// Of a task whose environment this is, which is under way now.
    pub fn new(index: u64, now_utc: String, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), variable(name)?)));
        Self {
            artifact_version: ARTIFACT_VERSION.to_owned(),
            index,
            environment: set.collect(),
            generated_utc: now_utc,
            outcome: None,
            why: None,
        }
    }

    /// What is there of it in a row's directory: whoever cannot read it knows as much as before there
    /// was one.
    pub fn read(row: &Path) -> Option<Self> {
        let text = read_text(&row.join(names::TASK)).ok()?;
        let record: Self = serde_json::from_str(&text).ok()?;
        (record.artifact_version == ARTIFACT_VERSION).then_some(record)
    }

    /// Writes it into a row's directory.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Write`].
    pub fn write(&self, row: &Path) -> Result<(), ArtifactError> {
        write_atomically(&row.join(names::TASK), json(self).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(TaskRecord::read(dir.path()), None);
        let variable = |name: &str| (name == "SLURM_JOB_ID").then(|| "17".to_owned());
        let mut task = TaskRecord::new(3, "2026-01-01T00:00:00Z".to_owned(), variable);
        assert_eq!(task.environment, BTreeMap::from([("SLURM_JOB_ID".into(), "17".into())]));
        task.outcome = Some(TaskOutcome::DoesNotFit);
        task.write(dir.path()).unwrap();
        assert_eq!(TaskRecord::read(dir.path()), Some(task));
        std::fs::write(dir.path().join(names::TASK), "{").unwrap();
        assert_eq!(TaskRecord::read(dir.path()), None);
    }
}
