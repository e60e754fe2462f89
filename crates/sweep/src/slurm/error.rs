//! Why Slurm cannot be asked, or does not take a job.

use miette::Diagnostic;
use vram_artifacts::error::ArtifactError;

use crate::error::SweepError;

/// Why Slurm cannot be asked, or does not take a job.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum SlurmError {
    /// This machine has no Slurm.
    #[error("{program} is not on this machine")]
    #[diagnostic(help("submit from a machine where Slurm's commands are"))]
    NoCommand {
        /// The command that is missing.
        program: &'static str,
    },

    /// Slurm refuses.
    #[error("{program} refuses: {said}")]
    #[diagnostic(help("it was asked: {command}"))]
    Refused {
        /// The command.
        program: &'static str,
        /// All of it.
        command: String,
        /// What it said.
        said: String,
    },

    /// What Slurm says is not understood.
    #[error("{program} says what is not understood: {said:?}")]
    #[diagnostic(help("this was tried with Slurm 22.05"))]
    Odd {
        /// The command.
        program: &'static str,
        /// What it said.
        said: String,
    },

    /// Slurm has no job arrays here.
    #[error("this cluster takes no job arrays: its MaxArraySize is {most}")]
    #[diagnostic(help("do the plan's rows by hand: vram sweep --row-index N DIR"))]
    NoArrays {
        /// What it is.
        most: u64,
    },

    /// What is written into the run directory.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] ArtifactError),

    /// The run directory, or the system.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sweep(#[from] SweepError),
}
