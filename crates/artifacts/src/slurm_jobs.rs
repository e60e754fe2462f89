//! `slurm.json`: the jobs that a sweep's rows were submitted as.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vram_source::file::{ReadError, read_text};

use crate::atomic::{json, write_atomically};
use crate::error::ArtifactError;
use crate::names;
use crate::run_record::words;
use crate::version::ARTIFACT_VERSION;

/// `slurm.json`: every job that was submitted for a run directory, in that order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlurmJobs {
    /// See [`ARTIFACT_VERSION`].
    pub artifact_version: String,
    /// The jobs, each one array.
    pub jobs: Vec<SlurmJob>,
}

/// A job array: its task `N` is the plan's row of index `offset + N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlurmJob {
    /// Slurm's number of the array.
    pub job_id: u64,
    /// The plan's index of task 0.
    pub offset: u64,
    /// The tasks that were submitted, as `sbatch --array` takes them: `0-3,7`.
    pub tasks: String,
    /// When, UTC.
    pub submitted_utc: String,
}

impl Default for SlurmJobs {
    fn default() -> Self {
        Self { artifact_version: ARTIFACT_VERSION.to_owned(), jobs: Vec::new() }
    }
}

impl SlurmJobs {
    /// The jobs of a run directory; none where nothing was submitted.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn read(dir: &Path) -> Result<Self, ArtifactError> {
        let path = dir.join(names::SLURM_JOBS);
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(ReadError::System(e)) if e.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(why) => return Err(ArtifactError::Plan { path, message: why.to_string() }),
        };
        match serde_json::from_str::<Self>(&text) {
            Err(e) => Err(ArtifactError::Plan { path, message: words(&e) }),
            Ok(jobs) if jobs.artifact_version != ARTIFACT_VERSION => {
                Err(ArtifactError::Version { path, found: jobs.artifact_version })
            }
            Ok(jobs) => Ok(jobs),
        }
    }

    /// Writes them into a run directory.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Write`].
    pub fn write(&self, dir: &Path) -> Result<(), ArtifactError> {
        write_atomically(&dir.join(names::SLURM_JOBS), json(self).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(SlurmJobs::read(dir.path()).unwrap(), SlurmJobs::default());
        let mut jobs = SlurmJobs::default();
        jobs.jobs.push(SlurmJob {
            job_id: 12,
            offset: 1001,
            tasks: "0-3,7".to_owned(),
            submitted_utc: "2026-01-01T00:00:00Z".to_owned(),
        });
        jobs.write(dir.path()).unwrap();
        assert_eq!(SlurmJobs::read(dir.path()).unwrap(), jobs);
        std::fs::write(dir.path().join(names::SLURM_JOBS), "[]").unwrap();
        assert!(matches!(SlurmJobs::read(dir.path()), Err(ArtifactError::Plan { .. })));
    }
}
