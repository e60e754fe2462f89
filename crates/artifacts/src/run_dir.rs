//! The directory that a probe writes its run into.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use vram_source::file::read_text;

use crate::atomic::{json, write_atomically};
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

    /// Removes the artifacts of a run of a virtual card from `dir`, for another such run: nothing was
    /// measured there, and a program is run there again and again. Any other run is left as it is, as
    /// is one that does not tell.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Write`] where they cannot be removed.
    pub fn clear_of_virtual(dir: &Path) -> Result<(), ArtifactError> {
        let env = dir.join(names::ENV);
        let env = read_text(&env).ok().and_then(|text| serde_json::from_str::<Env>(&text).ok());
        if !env.is_some_and(|env| env.virtual_card) {
            return Ok(());
        }
        // The one that says whose they are is the last to go.
        for name in [names::METRICS, names::METRICS_CSV, names::SUMMARY, names::RUN_CMD, names::ENV]
        {
            let path = dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(ArtifactError::Write { path, source: error });
                }
                _ => {}
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 5] =
        [names::METRICS, names::METRICS_CSV, names::SUMMARY, names::RUN_CMD, names::ENV];

    /// A directory that holds every artifact, and something else.
    fn run_with(env: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        ALL.iter().for_each(|name| fs::write(dir.path().join(name), "{}").unwrap());
        fs::write(dir.path().join(names::ENV), env).unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        dir
    }

    #[test]
    fn a_run_of_a_virtual_card_gives_way() {
        let dir = run_with(r#"{"virtual_card": true}"#);
        assert!(matches!(RunDir::create(dir.path()), Err(ArtifactError::Occupied { .. })));
        RunDir::clear_of_virtual(dir.path()).unwrap();
        RunDir::create(dir.path()).unwrap();
        assert!(ALL.iter().all(|name| !dir.path().join(name).exists()));
        assert!(dir.path().join("notes.txt").exists());
        RunDir::clear_of_virtual(&dir.path().join("not there")).unwrap();
    }

    #[test]
    fn any_other_run_stays() {
        for env in [r#"{"virtual_card": false}"#, "{}", "half a f", r#"{"virtual_card": "yes"}"#] {
            let dir = run_with(env);
            RunDir::clear_of_virtual(dir.path()).unwrap();
            assert!(ALL.iter().all(|name| dir.path().join(name).exists()), "{env}");
            assert!(RunDir::create(dir.path()).is_err());
        }
    }
}
