//! `vram probe`: one measured run. Here is what is refused and what is written in which order; the
//! measurement itself is in `measure`.

mod measure;
pub(crate) mod target;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use miette::{IntoDiagnostic, WrapErr};
use vram_presets::{Origin, Preset, WorkloadSpec};
use vram_workload::Shape;

use super::Reply;
use crate::args::{Overrides, at_least_0, at_least_1};
use crate::artifacts::{ARTIFACT_VERSION, Metrics, RunCmd, RunDir, summary};
use crate::device::{Choice, Place, executable_beside, hand_over};
use crate::events::{Event, Finished, Started, Status};
use crate::{Exit, machine, terminal};
use target::{Cpu, Target};

/// `vram probe`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes run_cmd.txt and env.json before any compute, then metrics.json, metrics.csv and
summary.md, PASS or FAIL. Contracts: VRA-30 (verdict), VRA-31 (ids), VRA-32 (artifacts).

Examples:
  vram probe --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16 --output-dir runs/DP1
  vram probe --ant '{\"ring_len\":512,\"slot_dim\":64,\"ptr_dtype\":\"fp64\",\"precision\":\"fp32\"}' \\
    --colony smoke_brief --output-dir runs/mine"
)]
pub struct Args {
    /// The model's side: preset, file or inline JSON
    #[arg(long)]
    ant: String,
    /// The data's side: preset, file or inline JSON
    #[arg(long)]
    colony: String,
    #[command(flatten)]
    overrides: Overrides,
    /// Whether matrix products run in half precision [default: 1 for fp16 and bf16, else 0]
    #[arg(long, value_name = "0|1", value_parser = flag)]
    amp: Option<bool>,
    /// Readout heads
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_1, allow_negative_numbers = true)]
    out_dim: u64,
    /// Steps before the peaks are reset
    #[arg(long, value_name = "N", default_value = "2", value_parser = at_least_0, allow_negative_numbers = true)]
    warmup_steps: u64,
    /// Steps that are measured
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_1, allow_negative_numbers = true)]
    measure_steps: u64,
    /// Seed of parameters, inputs and pointers
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Where to run: auto, cpu, or cuda[:N]
    #[arg(long, default_value = "auto", value_parser = str::parse::<Choice>)]
    device: Choice,
    /// Directory for the artifacts; it must not hold a run
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Print progress on stdout as JSON lines instead of the summary
    #[arg(long, value_enum)]
    events: Option<EventFormat>,
    /// Name of the datapoint in its sweep, recorded in run_cmd.txt
    #[arg(long, value_name = "ID")]
    row_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EventFormat {
    Json,
}

fn flag(text: &str) -> Result<bool, &'static str> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("expected 0 or 1"),
    }
}

/// A probe that is about to run: everything that can be refused has been.
struct Probe<'a, T> {
    args: &'a Args,
    spec: WorkloadSpec,
    amp: bool,
    steps_total: u64,
    shape: Shape,
    target: T,
}

/// Runs here, or hands over to the executable that runs on a card.
pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    match args.device.resolve(&executable_beside()?)? {
        Place::Cuda(card, executable) => {
            // What can be refused without the card is refused before it is opened.
            prepare(args, || Ok(()))?;
            tracing::info!("running on cuda:{}, {}", card.ordinal, card.name);
            hand_over(&executable)
        }
        Place::Cpu(why) => {
            let note = why.map(|why| format!("running on the CPU: {why}"));
            prepare(args, Cpu::open)?.run(note)
        }
    }
}

/// Runs on a card.
#[cfg(feature = "cuda")]
pub(crate) fn run_on_card(args: &Args) -> miette::Result<Reply> {
    prepare(args, || target::OpenCard::open(args.device))?.run(None)
}

/// Checks everything that can be refused; the device is opened last.
fn prepare<T>(
    args: &Args,
    open: impl FnOnce() -> miette::Result<T>,
) -> miette::Result<Probe<'_, T>> {
    let library = super::library()?;
    let (ant, colony) = (library.ant(&args.ant)?, library.colony(&args.colony)?);
    let (ant_name, colony_name) = (name(&ant), name(&colony));
    let spec = args.overrides.apply(WorkloadSpec::new(ant.spec, colony.spec))?;
    let amp = args.amp.unwrap_or(spec.ant.precision.default_amp());
    let shape = runnable(&spec, args.out_dim, amp).wrap_err_with(|| {
        let WorkloadSpec { ant, colony } = &spec;
        format!(
            "cannot run ant {ant_name} (ring_len {}, slot_dim {}) with colony {colony_name} \
             (synth_len {}, batch_size {})",
            ant.ring_len, ant.slot_dim, colony.synth_len, colony.batch_size
        )
    })?;
    let Some(steps_total) = args.warmup_steps.checked_add(args.measure_steps) else {
        miette::bail!("--warmup-steps and --measure-steps together exceed 64 bits");
    };
    Ok(Probe { args, spec, amp, steps_total, shape, target: open()? })
}

/// What a message calls a preset: the file to open, where there is one.
fn name<T>(preset: &Preset<T>) -> String {
    match &preset.origin {
        Origin::File(path) => path.display().to_string(),
        Origin::BuiltIn => preset.label.clone(),
        Origin::Inline => "given inline".to_owned(),
    }
}

/// The sizes of a step that can run here. They are checked as the step's own buffers and as
/// VRA-34's ring term, which is a size of its own.
fn runnable(spec: &WorkloadSpec, out_dim: u64, amp: bool) -> miette::Result<Shape> {
    let shape = Shape::new(spec, out_dim, amp).into_diagnostic()?;
    spec.ring_buf_bytes()?;
    Ok(shape)
}

impl<T: Target> Probe<'_, T> {
    /// `note` is said once nothing can be refused any more.
    fn run(&self, note: Option<String>) -> miette::Result<Reply> {
        let dir = RunDir::create(&self.args.output_dir)?;
        let run = (self.spec.ant.precision.to_string(), self.amp);
        let facts = self.target.facts().clone();
        let env = machine::env(facts, self.target.context_bytes(), Some(run));
        dir.write_start(&self.run_cmd(), &env)?;
        if let Some(note) = note {
            tracing::info!("{note}");
        }
        self.say(&Event::Started(Started {
            probe_id: self.probe_id(),
            workload_id: self.spec.workload_id(),
            steps_total: self.steps_total,
        }));
        let metrics = self.measure();
        if let Err(error) = dir.write_results(&metrics) {
            terminal::complain(&error.into());
            return Ok(Reply { text: String::new(), exit: Exit::Failed });
        }
        self.say(&Event::Finished(finished(&metrics)));
        Ok(Reply::done(match self.args.events {
            Some(EventFormat::Json) => String::new(),
            None => summary(&metrics),
        }))
    }

    fn probe_id(&self) -> String {
        self.spec.probe_id(self.args.out_dim, self.amp)
    }

    fn run_cmd(&self) -> RunCmd {
        // By name: where the executable lies is no part of a run.
        let command = std::iter::once("vram".to_owned());
        let arguments = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned());
        RunCmd {
            artifact_version: Some(ARTIFACT_VERSION.to_owned()),
            argv: command.chain(arguments).collect(),
            resolved_spec: self.spec.to_json(),
            canonical_spec: self.spec.to_json(),
            workload_id: self.spec.workload_id(),
            probe_id: self.probe_id(),
            row_id: self.args.row_id.clone(),
            notes: vec![
                "seq_len is accounting: tokens/s uses it".to_owned(),
                "synth_len is the number of tokens that a step computes".to_owned(),
                "out_dim is no part of workload_schema_v1: compare by probe_id".to_owned(),
            ],
        }
    }

    /// Prints an event where events are asked for. A reader that went away is no reason to stop.
    fn say(&self, event: &Event) {
        if self.args.events.is_some()
            && let Ok(line) = serde_json::to_string(event)
        {
            let mut stdout = io::stdout().lock();
            let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        }
    }
}

fn finished(metrics: &Metrics) -> Finished {
    Finished {
        status: if metrics.stability_pass { Status::Pass } else { Status::Fail },
        fail_reasons: metrics.fail_reasons.clone(),
        peak_allocated_bytes: metrics.peak_vram_allocated_bytes,
        peak_reserved_bytes: metrics.peak_vram_reserved_bytes,
    }
}
