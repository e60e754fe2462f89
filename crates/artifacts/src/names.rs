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
