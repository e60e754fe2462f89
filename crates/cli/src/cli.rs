//! The command line: every subcommand in one place.

use clap::{CommandFactory, Parser, Subcommand};
use vram_console::exit::Exit;
use vram_console::reply::Reply;
use vram_console::verbosity::Verbosity;

use crate::commands::{
    bandwidth, bench, capacity, completions, cuda_toolkit, dry_run, env, explain, fit, man,
    max_batch, predict, presets, probe, replay, report, sweep, trace, workload_id,
};

/// GPU and host memory of a training step, measured, fitted and reported before anything big runs.
///
/// Contracts: VRA-30 (objective and stability), VRA-31 (workload schema), VRA-32 (probe),
/// VRA-34 (breakdown).
#[derive(Debug, Parser)]
#[command(name = "vram", version, propagate_version = true, after_long_help = Exit::table())]
pub struct Cli {
    /// How much is said on stderr.
    #[command(flatten, next_display_order = 90)]
    pub verbosity: Verbosity,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure the peak memory of one workload's training step (VRA-32)
    Probe(probe::Args),
    /// Measure a sweep's rows and print predicted and measured peaks (VRA-34)
    Sweep(sweep::Args),
    /// Predict the peak of one workload before anything runs
    Predict(predict::Args),
    /// Find the largest batch that fits a card
    Capacity(capacity::Args),
    /// Run any CUDA program on a virtual card and tell its peak of GPU memory, without a card
    DryRun(dry_run::Args),
    /// Run any CUDA program on the card that is there and tell what it asks of GPU memory, and where
    Trace(trace::Args),
    /// Find the largest number with which a program fits a card, without a card
    MaxBatch(max_batch::Args),
    /// Play a sequence of memory requests on a card and tell what each came to
    Replay(replay::Args),
    /// Show what every byte of a step's peak is
    Explain(explain::Args),
    /// Fit measured peaks and print predictions, errors and constants (VRA-34)
    Fit(fit::Args),
    /// Write a report on measured peaks: Markdown, CSV, calibration and plot
    Report(report::Args),
    /// List, show and check presets
    #[command(subcommand, after_long_help = presets::EXAMPLES)]
    Presets(presets::Args),
    /// Print the id of a workload (VRA-31)
    WorkloadId(workload_id::Args),
    /// Print the facts of this machine that a probe records
    Env(env::Args),
    /// Measure how fast the device copies
    Bandwidth(bandwidth::Args),
    /// Time the step of a sweep's rows (a benchmark, not a test)
    Bench(bench::Args),
    /// Name the CUDA toolkit to build with, and fetch one where none is installed
    #[command(long_about = cuda_toolkit::LONG_ABOUT)]
    CudaToolkit(cuda_toolkit::Args),
    /// Print what a shell completes of the command line
    Completions(completions::Args),
    /// Print a manual page
    Man(man::Args),
}

/// Runs the subcommand that `cli` names.
///
/// # Errors
///
/// Bad input: the process is to end with [`Exit::Refused`].
pub fn run(cli: &Cli) -> miette::Result<Reply> {
    match &cli.command {
        Command::Probe(args) => probe::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Capacity(args) => capacity::run(args),
        Command::DryRun(args) => dry_run::run(args),
        Command::Trace(args) => trace::run(args),
        Command::MaxBatch(args) => max_batch::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Fit(args) => fit::run(args),
        Command::Report(args) => report::run(args),
        Command::Presets(args) => presets::run(args),
        Command::WorkloadId(args) => workload_id::run(args),
        Command::Env(args) => env::run(args),
        Command::Bandwidth(args) => bandwidth::run(args),
        Command::Sweep(args) => sweep::run(args),
        Command::Bench(args) => bench::run(args),
        Command::CudaToolkit(args) => cuda_toolkit::run(args),
        Command::Completions(args) => completions::run(args, Cli::command()),
        Command::Man(args) => man::run(args, Cli::command()),
    }
}

/// As [`run`], in the executable that runs on a card.
///
/// # Errors
///
/// As [`run`].
#[cfg(feature = "cuda")]
pub fn run_on_card(cli: &Cli) -> miette::Result<Reply> {
    match &cli.command {
        Command::Probe(args) => probe::run_on_card(args),
        Command::Env(args) => env::run_on_card(args),
        Command::Bandwidth(args) => bandwidth::run_on_card(args),
        _ => run(cli),
    }
}
