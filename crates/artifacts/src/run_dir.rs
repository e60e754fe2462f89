//! The directory that a probe writes its run into.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::atomic::write_atomically;
use crate::env::Env;
use crate::error::ArtifactError;
use crate::metrics::Metrics;
use crate::names;
use crate::run_cmd::RunCmd;
use crate::summary::{scalars, summary};

/// A run's output directory. Every file in it is written whole or not at all.
#[derive(Debug)]
pub struct RunDir {
    dir: PathBuf,
}

impl RunDir {
    /// Claims `dir` for a new run.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Occupied`] where a run lies there already, [`ArtifactError::Write`] where
    /// the directory cannot be made.
    pub fn create(dir: &Path) -> Result<Self, ArtifactError> {
        for found in [names::ENV, names::METRICS, names::SUMMARY] {
            if dir.join(found).exists() {
                let dir = dir.to_owned();
                return Err(ArtifactError::Occupied { dir, found });
            }
        }
        fs::create_dir_all(dir)
            .map_err(|source| ArtifactError::Write { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Writes what is known before any compute: `run_cmd.txt` and `env.json`.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Write`].
    pub fn write_start(&self, run_cmd: &RunCmd, env: &Env) -> Result<(), ArtifactError> {
        self.write(names::RUN_CMD, &json(run_cmd))?;
        self.write(names::ENV, &json(env))
    }

    /// Writes the measurement: `metrics.json`, `metrics.csv` and `summary.md`.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Write`].
    pub fn write_results(&self, metrics: &Metrics) -> Result<(), ArtifactError> {
        self.write(names::METRICS_CSV, &scalars(metrics))?;
        self.write(names::SUMMARY, &summary(metrics))?;
        // Last: whoever finds it finds the run complete.
        self.write(names::METRICS, &json(metrics))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ArtifactError> {
        let path = self.dir.join(name);
        write_atomically(&path, text.as_bytes())
    }
}

fn json(value: &impl Serialize) -> String {
    // Records have string keys and no fallible part.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text + "\n"
}
