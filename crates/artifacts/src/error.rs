//! Why artifacts cannot be written or read.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use vram_source::file::{LIMIT_BYTES, ReadError};

use crate::version::ARTIFACT_VERSION;

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
        first: (&'static str, Box<str>),
        /// Another and what that says.
        second: (&'static str, Box<str>),
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

    /// A run of more steps than `metrics.json` can hold the times of.
    #[error(
        "{warmup_steps} warm-up and {measure_steps} measured steps: a run has {most} at most, \
         whose times metrics.json can hold"
    )]
    #[diagnostic(help("a peak is the same after a few steps"))]
    TooManySteps {
        /// Steps of the warm-up.
        warmup_steps: u64,
        /// Steps that were to be measured.
        measure_steps: u64,
        /// The most of both together.
        most: u64,
    },

    /// A directory without a plan.
    #[error("no rows are planned in {}", dir.display())]
    #[diagnostic(help(
        "`vram sweep --submit slurm` writes a run directory with a plan: name that"
    ))]
    NoPlan {
        /// The directory.
        dir: PathBuf,
        /// Why its plan cannot be read.
        source: ReadError,
    },

    /// A file of a planned sweep is not what it should be.
    #[error("{}: {message}", path.display())]
    #[diagnostic(help("it was edited or cut short: plan the sweep again in another directory"))]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },

    /// A plan that could not be read again.
    #[error("a plan of {rows} rows is larger than {} MiB, the most that is read", LIMIT_BYTES >> 20)]
    #[diagnostic(help("split the sweep: 10,000 rows a run directory (docs/fleet.md)"))]
    PlanTooLarge {
        /// Its rows.
        rows: usize,
    },

    /// A file that constants were to be written to holds something else.
    #[error("{} is there and is no calibration", path.display())]
    #[diagnostic(help("name another file, or move this one away; nothing was touched"))]
    NoCalibration {
        /// The file.
        path: PathBuf,
    },

    /// No run lies where runs were looked for.
    #[error("no run in {}", path.display())]
    #[diagnostic(help("give a run directory, or one that holds run directories"))]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
}

/// An error with everything behind it on one line, for a list.
pub fn with_causes(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}
