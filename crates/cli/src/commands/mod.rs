//! One file per subcommand: its arguments, and what it does with them.

pub mod bandwidth;
pub mod bench;
pub mod capacity;
pub mod completions;
pub mod cuda_toolkit;
pub mod dry_run;
pub mod env;
pub mod explain;
pub mod fit;
pub mod man;
pub mod max_batch;
pub mod predict;
pub mod presets;
pub mod probe;
pub mod replay;
pub mod report;
pub mod sweep;
pub mod trace;
pub mod workload_id;
