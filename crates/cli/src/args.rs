//! The command line: what `--help` says, and nothing that a subcommand does.

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;
use vram_presets::{Precision, PresetError, WorkloadSpec};

use crate::Exit;
use crate::commands::{bandwidth, env, fit, presets, probe, report, workload_id};

/// GPU and host memory of a training step, measured, fitted and reported before anything big runs.
///
/// Contracts: VRA-30 (objective and stability), VRA-31 (workload schema), VRA-32 (probe),
/// VRA-34 (breakdown).
#[derive(Debug, Parser)]
#[command(name = "vram", version, propagate_version = true, after_help = Exit::table())]
pub struct Args {
    /// How much is said on stderr.
    #[command(flatten)]
    pub verbosity: Verbosity,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Verbosity {
    /// Say more on stderr (twice: everything)
    #[arg(short, long, global = true, display_order = 90, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on stderr but warnings and errors
    #[arg(short, long, global = true, display_order = 91, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl Verbosity {
    pub(crate) fn level(self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::WARN,
            (false, 0) => LevelFilter::INFO,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        }
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure the peak memory of one workload's training step (VRA-32)
    Probe(probe::Args),
    /// Fit measured peaks and print predictions, errors and constants (VRA-34)
    Fit(fit::Args),
    /// Write a report on measured peaks: Markdown, CSV, calibration and plot
    Report(report::Args),
    /// List, show and check presets
    #[command(subcommand)]
    Presets(presets::Args),
    /// Print the id of a workload (VRA-31)
    WorkloadId(workload_id::Args),
    /// Print the facts of this machine that a probe records
    Env(env::Args),
    /// Measure how fast the device copies
    Bandwidth(bandwidth::Args),
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For reading.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// What a command line changes in a spec before its id is computed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Samples per step, in place of the colony's batch_size
    #[arg(long, value_name = "N", value_parser = at_least_1, allow_negative_numbers = true)]
    pub batch: Option<u64>,
    /// Precision of the step, in place of the ant's: fp64, fp32, fp16, bf16 or amp
    #[arg(long, value_name = "P")]
    pub precision: Option<Precision>,
}

impl Overrides {
    /// The workload that is meant.
    ///
    /// # Errors
    ///
    /// A batch of zero, which the parser refuses before.
    pub fn apply(&self, spec: WorkloadSpec) -> Result<WorkloadSpec, PresetError> {
        let spec = match self.precision {
            Some(precision) => spec.with_precision(precision),
            None => spec,
        };
        match self.batch {
            Some(batch) => spec.with_batch(batch),
            None => Ok(spec),
        }
    }
}

pub(crate) fn at_least_1(text: &str) -> Result<u64, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected an integer of at least 1"),
        Ok(number) => Ok(number),
    }
}

pub(crate) fn at_least_0(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "expected an integer of at least 0")
}
