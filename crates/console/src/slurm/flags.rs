//! The options of a sweep that is done by tasks, one a row, on machines of a cluster.

use std::path::PathBuf;

/// What `--help` puts them under.
const HEADING: &str = "On a cluster (docs/fleet.md)";

/// The options of a sweep that is done by tasks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClusterFlags {
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
            "row_timeout", "format",
        ],
    )]
    pub(crate) row_index: Option<u64>,
    /// The run directory, on a file system that this machine has
    #[arg(value_name = "DIR", requires = "row_index", help_heading = HEADING, hide_short_help = true)]
    pub(crate) dir: Option<PathBuf>,
}
