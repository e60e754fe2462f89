//! Names of what lies in a run directory.

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
/// The sweep whose rows lie beside it, where it was given as a file.
pub const SWEEP: &str = "sweep.toml";
/// What a directory's name has after the run's when an attempt was set aside: a number follows.
pub const ASIDE: &str = ".unfinished-";
/// The rows of a sweep as tasks, in its run directory.
pub const PLAN: &str = "plan.json";
/// The jobs that a sweep's rows were submitted as, in its run directory.
pub const SLURM_JOBS: &str = "slurm.json";
/// Which task measured a row, and what came of it, in the row's directory.
pub const TASK: &str = "task.json";
/// Folder of a run directory that holds the executables which measure its planned rows.
pub const EXECUTABLES: &str = "bin";
/// Folder of a run directory that holds the presets of its planned rows.
pub const PRESETS: &str = "presets";
