//! The options of a sweep that is done by tasks, one a row, on machines of a cluster.

use std::path::PathBuf;

/// What `--help` puts them under.
const HEADING: &str = "On a cluster (docs/fleet.md)";

/// Who runs tasks on machines of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scheduler {
    /// Slurm, by job arrays.
    Slurm,
}

/// The options of a sweep that is done by tasks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClusterFlags {
    /// Submit a task for each row, and end
    ///
    /// The run directory gets a plan of the rows, and has to be on a file system that the cluster's
    /// machines share. With --resume, rows without results are submitted again.
    #[arg(
        long,
        value_enum,
        value_name = "SCHEDULER",
        conflicts_with_all = ["find_max", "vram"],
    )]
    pub(crate) submit: Option<Scheduler>,
    /// Partition of the cluster
    #[arg(
        long,
        value_name = "NAME",
        requires = "submit",
        help_heading = HEADING,
        hide_short_help = true,
    )]
    pub(crate) partition: Option<String>,
    /// Card of a task, such as gpu:h100:1; without it and without --device cuda rows run on CPUs
    #[arg(
        long,
        value_name = "GRES",
        requires = "submit",
        help_heading = HEADING,
        hide_short_help = true,
    )]
    pub(crate) gres: Option<String>,
    /// The most tasks that run at one time
    #[arg(
        long,
        value_name = "K",
        requires = "submit",
        help_heading = HEADING,
        hide_short_help = true,
        value_parser = clap::value_parser!(u64).range(1..),
    )]
    pub(crate) max_parallel: Option<u64>,
    /// Make table and report of submitted rows
    ///
    /// Of those without results it says what Slurm knows of them.
    #[arg(
        long,
        value_name = "DIR",
        help_heading = HEADING,
        hide_short_help = true,
        conflicts_with_all = [
            "submit", "row_index", "sweep", "device", "only", "out", "resume", "redo",
            "no_preflight", "find_max", "vram", "row_timeout",
        ],
    )]
    pub(crate) collect: Option<PathBuf>,
    /// With --submit or --collect: wait until no task is pending or running, then collect
    #[arg(long, help_heading = HEADING, hide_short_help = true)]
    pub(crate) wait: bool,
    /// Measure one row of the plan in DIR, with the executables there: the task of index N, counted
    /// from 0. A finished row is kept
    #[arg(
        long,
        value_name = "N",
        requires = "dir",
        help_heading = HEADING,
        hide_short_help = true,
        conflicts_with_all = [
            "sweep", "device", "only", "out", "resume", "redo", "no_preflight", "find_max", "vram",
            "row_timeout", "format", "submit", "wait",
        ],
    )]
    pub(crate) row_index: Option<u64>,
    /// The run directory, on a file system that this machine has
    #[arg(value_name = "DIR", requires = "row_index", help_heading = HEADING, hide_short_help = true)]
    pub(crate) dir: Option<PathBuf>,
    /// With --submit: words for sbatch, which overrule what it is told here
    #[arg(
        last = true,
        value_name = "SBATCH",
        requires = "submit",
        help_heading = HEADING,
        hide_short_help = true,
    )]
    pub(crate) words: Vec<String>,
}
