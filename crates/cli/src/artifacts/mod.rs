//! What a probe leaves behind (VRA-32): `run_cmd.txt`, `env.json`, `metrics.json`, `metrics.csv`,
//! `summary.md`. Keys are the original harness's; what this project adds, the original's runs lack.

mod agree;
mod read;
mod records;
mod write;

pub use read::{RunRecord, from_texts, read};
pub use records::{ARTIFACT_VERSION, Env, Metrics, RunCmd};
pub use write::RunDir;
pub(crate) use write::{summary, write_atomically};

use std::io;
use std::path::PathBuf;

use vram_source::ReadError;

/// Names of the artifacts.
pub mod names {
    /// Arguments and specs, JSON in spite of its name.
    pub const RUN_CMD: &str = "run_cmd.txt";
    /// The machine.
    pub const ENV: &str = "env.json";
    /// The measurement.
    pub const METRICS: &str = "metrics.json";
    /// The measurement's scalars.
    pub const METRICS_CSV: &str = "metrics.csv";
    /// The measurement in words.
    pub const SUMMARY: &str = "summary.md";
    /// What a directory's name has after the run's when an attempt was set aside: a number follows.
    pub const ASIDE: &str = ".unfinished-";
}

/// The most steps of a run: `metrics.json` holds the time of each, and what is larger than
/// [`vram_source::LIMIT_BYTES`] is not read again.
pub const MOST_STEPS: u64 = 250_000;

/// Steps of a run, the warm-up's and the measured ones.
///
/// # Errors
///
/// More than [`MOST_STEPS`].
pub fn steps_total(warmup_steps: u64, measure_steps: u64) -> miette::Result<u64> {
    let total = warmup_steps.checked_add(measure_steps).filter(|&steps| steps <= MOST_STEPS);
    total.ok_or_else(|| {
        miette::miette!(
            help = "a peak is the same after a few steps",
            "{warmup_steps} warm-up and {measure_steps} measured steps: a run has {MOST_STEPS} at \
             most, whose times metrics.json can hold"
        )
    })
}

/// Why artifacts cannot be written or read.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The output directory holds a run already.
    #[error("{} already holds a run: {found} is there", dir.display())]
    #[diagnostic(help("name another --output-dir, or move the old run away; nothing was touched"))]
    Occupied {
        /// The directory.
        dir: PathBuf,
        /// The artifact found in it.
        found: &'static str,
    },

    /// The system refused a write.
    #[error("cannot write {}", path.display())]
    #[diagnostic(help("check that the directory can be written and the disk is not full"))]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// Something cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(help("a run directory holds run_cmd.txt, env.json and metrics.json"))]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: ReadError,
    },

    /// Two artifacts of a run say different things.
    #[error(
        "{}: {key} is {} in {} and {} in {}",
        dir.display(), first.1, first.0, second.1, second.0
    )]
    #[diagnostic(help("files of two runs were mixed, or one was edited: measure the run again"))]
    Disagree {
        /// The run's directory.
        dir: PathBuf,
        /// What they disagree on.
        key: &'static str,
        /// An artifact, or a part of one, and what it says.
        first: (&'static str, String),
        /// Another and what that says.
        second: (&'static str, String),
    },

    /// An artifact is not what it should be.
    #[error("{}: {message}", path.display())]
    #[diagnostic(help("the run is incomplete or was edited: measure it again"))]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the key.
        message: String,
    },

    /// An artifact of a format that this version does not know.
    #[error("{}: artifact_version `{found}` is not `{ARTIFACT_VERSION}`", path.display())]
    #[diagnostic(help("read it with the version of vram that wrote it, or a newer one"))]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: String,
    },

    /// No run lies where runs were looked for.
    #[error("no run in {}", path.display())]
    #[diagnostic(help("give a run directory, or one that holds run directories"))]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
}

impl ArtifactError {
    /// The message with what is behind it, for a list.
    pub(crate) fn with_causes(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |e| e.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}
