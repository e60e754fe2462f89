//! Groups of flags that several subcommands have, and what they mean. Nothing here knows a
//! subcommand.

use std::path::PathBuf;

use clap::ValueEnum;
use miette::WrapErr;
use vram_console::vram_size::VramSize;
use vram_presets::error::PresetError;
use vram_presets::library::{Library, Origin, Preset};
use vram_presets::spec::{Precision, WorkloadSpec};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_report::defaults::DEFAULT_CALIBRATION;
use vram_report::workload::{Mode, Workload};

use crate::stdin_preset::PresetPair;

/// How what is no table is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LineFormat {
    /// For reading.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// How a report on a program is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For reading.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For a page or an issue.
    Markdown,
}

/// What a command line wants to know of where the bytes are.
#[derive(Debug, Clone, clap::Args)]
pub struct PlacesFlags {
    /// Tell which functions of the program hold what is alive at the peak
    #[arg(long)]
    pub stacks: bool,
    /// Write the stacks of what is alive at the peak, for flame graphs; implies --stacks
    #[arg(long, value_name = "FILE")]
    pub folded: Option<PathBuf>,
    /// Write the report for a browser, with what is alive over the run; implies --stacks
    #[arg(long, value_name = "FILE.html", value_parser = html_file)]
    pub html: Option<PathBuf>,
}

/// A name that promises another format would be a lie about what is in the file.
fn html_file(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html")) {
        true => Ok(path),
        false => Err("it is a page: expected a file name that ends in .html"),
    }
}

/// What a command line changes in a spec before its id is computed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Samples per step, in place of the colony's batch_size
    #[arg(long, value_name = "N", value_parser = at_least_1, allow_negative_numbers = true)]
    pub batch: Option<u64>,
    /// Precision of the step, in place of the ant's: fp32, fp16 or bf16
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

/// What a command line says of a virtual card.
#[derive(Debug, Clone, clap::Args)]
pub struct CardFlags {
    /// Model of the card: h100 or h200, whose facts were recorded
    #[arg(long, value_name = "NAME", default_value = "h100")]
    pub card: String,
    /// Memory of the card [default: the model's]
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub vram: Option<u64>,
}

/// A size such as `24GiB`, in bytes.
fn memory_size(text: &str) -> Result<u64, String> {
    match text.parse()? {
        VramSize::Bytes(bytes) => Ok(bytes),
        VramSize::Auto => {
            Err("a virtual card has no size of its own: say 24GiB, for example".to_owned())
        }
    }
}

/// A part of the whole.
pub(crate) fn ratio(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(ratio) if ratio > 0.0 && ratio <= 1.0 => Ok(ratio),
        _ => Err("expected a ratio above 0 and up to 1"),
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
pub struct WorkloadFlags {
    /// The model's side: preset, file, inline JSON, or - for standard input
    #[arg(long)]
    pub ant: String,
    /// The data's side: preset, file, inline JSON, or - for standard input
    #[arg(long)]
    pub colony: String,
    /// What replaces values of the two.
    #[command(flatten)]
    pub overrides: Overrides,
    /// How the step runs.
    #[command(flatten)]
    pub mode: ModeFlags,
}

/// What is no part of a workload's id and changes its step.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ModeFlags {
    /// Whether matrix products run in half precision [default: 1 for fp16 and bf16, else 0]
    #[arg(long, value_name = "0|1", value_parser = flag)]
    pub amp: Option<bool>,
    /// Readout heads
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_1, allow_negative_numbers = true)]
    pub out_dim: u64,
    /// Which step of the model: fused or plain
    ///
    /// Fused is what VRA-34 budgets; plain is candle's operations and autograd.
    #[arg(long, value_name = "STEP", default_value_t, value_parser = str::parse::<StepKind>)]
    pub step: StepKind,
    /// What the fused step keeps for backward: full or rows [default: full]
    ///
    /// Full is a ring state a token, which VRA-34 budgets; rows is the five rows that a token read.
    #[arg(long, value_name = "TAPE", value_parser = str::parse::<TapeKind>)]
    pub tape: Option<TapeKind>,
}

impl From<ModeFlags> for Mode {
    fn from(ModeFlags { amp, out_dim, step, tape }: ModeFlags) -> Self {
        Self { amp, out_dim, step, tape }
    }
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
pub struct CalibrationFlag {
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

impl CalibrationFlag {
    /// The calibration that was named.
    pub fn named(&self) -> Option<&str> {
        self.calibration.as_deref()
    }
}

impl WorkloadFlags {
    /// The workload that is meant.
    ///
    /// # Errors
    ///
    /// Presets that cannot be found or parsed, or a step that cannot run.
    pub fn resolve(&self, library: &Library) -> miette::Result<Workload> {
        self.resolve_given(library, &self.given()?)
    }

    /// Its ant and colony; standard input is read where it holds one of them.
    pub(crate) fn given(&self) -> miette::Result<PresetPair> {
        PresetPair::given(&self.ant, &self.colony)
    }

    /// As [`Self::resolve`], of an ant and a colony that were read already.
    pub(crate) fn resolve_given(
        &self,
        library: &Library,
        given: &PresetPair,
    ) -> miette::Result<Workload> {
        let (ant, colony) = (library.ant(&given.ant)?, library.colony(&given.colony)?);
        let (ant_name, colony_name) = (name(&ant), name(&colony));
        tracing::debug!("ant {} ({ant_name}), colony {} ({colony_name})", ant.label, colony.label);
        let spec = self.overrides.apply(WorkloadSpec::new(ant.spec, colony.spec))?;
        Workload::new(spec, self.mode.into()).map_err(miette::Report::new).wrap_err_with(|| {
            let WorkloadSpec { ant, colony } = &spec;
            format!(
                "cannot run ant {ant_name} (ring_len {}, slot_dim {}) with colony {colony_name} \
                 (synth_len {}, batch_size {})",
                ant.ring_len, ant.slot_dim, colony.synth_len, colony.batch_size
            )
        })
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
