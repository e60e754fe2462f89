//! The command line: what `--help` says, and nothing that a subcommand does.

use std::str::FromStr;

use bytesize::ByteSize;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use miette::{IntoDiagnostic, WrapErr};
use tracing::level_filters::LevelFilter;
use vram_presets::{Library, Origin, Precision, Preset, PresetError, StepKind, WorkloadSpec};
use vram_workload::Shape;

use crate::Exit;
use crate::budget::DEFAULT_CALIBRATION;
use crate::commands::{
    bandwidth, capacity, env, explain, fit, predict, presets, probe, report, workload_id,
};

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
    /// Predict the peak of one workload before anything runs
    Predict(predict::Args),
    /// Find the largest batch that fits a card
    Capacity(capacity::Args),
    /// Show what every byte of a step's peak is
    Explain(explain::Args),
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

/// What a command line says of a workload.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkloadArgs {
    /// The model's side: preset, file or inline JSON
    #[arg(long)]
    pub ant: String,
    /// The data's side: preset, file or inline JSON
    #[arg(long)]
    pub colony: String,
    /// What replaces values of the two.
    #[command(flatten)]
    pub overrides: Overrides,
    /// How the step runs.
    #[command(flatten)]
    pub mode: Mode,
}

/// What is no part of a workload's id and changes its step.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Mode {
    /// Whether matrix products run in half precision [default: 1 for fp16 and bf16, else 0]
    #[arg(long, value_name = "0|1", value_parser = flag)]
    pub amp: Option<bool>,
    /// Readout heads
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_1, allow_negative_numbers = true)]
    pub out_dim: u64,
    /// Which step of the model: fused (what VRA-34 budgets) or plain (candle's operations and autograd)
    #[arg(long, value_name = "STEP", default_value_t, value_parser = str::parse::<StepKind>)]
    pub step: StepKind,
}

fn flag(text: &str) -> Result<bool, &'static str> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("expected 0 or 1"),
    }
}

/// What a command line says of a calibration.
#[derive(Debug, Clone, clap::Args)]
pub struct CalibrationArg {
    /// Calibration preset or file
    #[arg(
        long,
        value_name = "NAME|FILE",
        help = format!(
            "Calibration preset or file [default: {DEFAULT_CALIBRATION}, and a context that is assumed]"
        )
    )]
    calibration: Option<String>,
}

impl CalibrationArg {
    /// The calibration that was named.
    pub fn named(&self) -> Option<&str> {
        self.calibration.as_deref()
    }
}

/// A device's memory, as a command line says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vram {
    /// That of the device that is here.
    Auto,
    /// This many bytes.
    Bytes(u64),
}

impl FromStr for Vram {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => match text.parse::<ByteSize>() {
                Ok(size) if size.as_u64() > 0 => Ok(Self::Bytes(size.as_u64())),
                _ => Err("expected a size such as 16GiB, a number of bytes, or auto".to_owned()),
            },
        }
    }
}

/// A workload whose step can run.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The workload after overrides.
    pub spec: WorkloadSpec,
    /// Whether it runs under amp.
    pub amp: bool,
    /// Its readout heads.
    pub out_dim: u64,
    /// Which step of the model it takes.
    pub step: StepKind,
    /// The sizes of its step.
    pub shape: Shape,
}

impl WorkloadArgs {
    /// The workload that is meant.
    ///
    /// # Errors
    ///
    /// Presets that cannot be found or parsed, or a step that cannot run.
    pub fn resolve(&self, library: &Library) -> miette::Result<Workload> {
        let (ant, colony) = (library.ant(&self.ant)?, library.colony(&self.colony)?);
        let (ant_name, colony_name) = (name(&ant), name(&colony));
        let spec = self.overrides.apply(WorkloadSpec::new(ant.spec, colony.spec))?;
        Workload::new(spec, self.mode).wrap_err_with(|| {
            let WorkloadSpec { ant, colony } = &spec;
            format!(
                "cannot run ant {ant_name} (ring_len {}, slot_dim {}) with colony {colony_name} \
                 (synth_len {}, batch_size {})",
                ant.ring_len, ant.slot_dim, colony.synth_len, colony.batch_size
            )
        })
    }
}

impl Workload {
    /// The sizes of the step are checked as its own buffers and as VRA-34's ring term, which is a
    /// size of its own.
    ///
    /// # Errors
    ///
    /// A step that cannot run, or sizes that overflow.
    pub fn new(spec: WorkloadSpec, mode: Mode) -> miette::Result<Self> {
        let amp = mode.amp.unwrap_or(spec.ant.precision.default_amp());
        let shape = Shape::new(&spec, mode.out_dim, amp).into_diagnostic()?;
        spec.ring_buf_bytes()?;
        Ok(Self { spec, amp, out_dim: mode.out_dim, step: mode.step, shape })
    }
}

/// What a message calls a preset: the file to open, where there is one.
fn name<T>(preset: &Preset<T>) -> String {
    match &preset.origin {
        Origin::File(path) => path.display().to_string(),
        Origin::BuiltIn => preset.label.clone(),
        Origin::Inline => "given inline".to_owned(),
    }
}
