//! `vram probe`: one measured run. Here is what is refused and what is written in which order; the
//! measurement itself is in `measure`.

mod debug;
pub(crate) mod device;
mod measure;
mod stall;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use vram_artifacts::events::{Event, Finished, Started, Status};
use vram_artifacts::metrics::Metrics;
use vram_artifacts::run_cmd::RunCmd;
use vram_artifacts::run_dir::RunDir;
use vram_artifacts::steps::steps_total;
use vram_artifacts::summary::summary;
use vram_artifacts::version::ARTIFACT_VERSION;
use vram_console::exit::Exit;
use vram_console::reply::Reply;
use vram_console::terminal;
use vram_launch::choice::DeviceChoice;
use vram_launch::device::Place;
use vram_report::defaults::NO_LEDGER;
use vram_report::memory_check::{Context, DeviceMemory};
use vram_report::predictor::Forecast;
use vram_report::units::gib;
use vram_report::workload::Workload;

use crate::flags::{WorkloadFlags, at_least_0, at_least_1, library};
use crate::{machine, on_card};
use device::{Cpu, ProbeDevice};

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
    #[command(flatten)]
    workload: WorkloadFlags,
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
    #[arg(long, default_value = "auto", value_parser = str::parse::<DeviceChoice>)]
    device: DeviceChoice,
    /// Directory for the artifacts; it must not hold a run
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Print progress on stdout as JSON lines instead of the summary
    #[arg(long, value_enum)]
    events: Option<EventFormat>,
    /// Name of the datapoint in its sweep, recorded in run_cmd.txt
    #[arg(long, value_name = "ID")]
    row_id: Option<String>,
    // Last: what comes after it would be under its heading.
    #[command(flatten)]
    debug: debug::Debug,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EventFormat {
    Json,
}

/// A probe that is about to run: everything that can be refused has been.
struct Probe<'a, D> {
    args: &'a Args,
    workload: Workload,
    steps_total: u64,
    device: D,
}

/// Runs here, or hands over to the executable that runs on a card.
pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    match on_card::place(args.device)? {
        Place::Cuda(card, executable) => {
            // What can be refused without the card is refused before it is opened.
            prepare(args, || Ok(()))?;
            tracing::info!("running on cuda:{}, {}", card.ordinal, card.name);
            on_card::exec(&executable)
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
    prepare(args, || device::OpenCard::open(args.device))?.run(None)
}

/// Checks everything that can be refused; the device is opened last.
fn prepare<D>(
    args: &Args,
    open: impl FnOnce() -> miette::Result<D>,
) -> miette::Result<Probe<'_, D>> {
    let workload = args.workload.resolve(&library()?)?;
    let steps_total = steps_total(args.warmup_steps, args.measure_steps)?;
    Ok(Probe { args, workload, steps_total, device: open()? })
}

impl<D: ProbeDevice> Probe<'_, D> {
    /// `note` is said once nothing can be refused any more.
    fn run(&self, note: Option<String>) -> miette::Result<Reply> {
        let dir = RunDir::create(&self.args.output_dir)?;
        let run = (self.workload.spec.ant.precision.to_string(), self.workload.amp);
        let facts = self.device.facts().clone();
        // Not kept: its text, whose length the time of day decides, is no part of the step's memory.
        dir.write_start(
            &self.run_cmd(),
            &machine::env(facts, self.device.context_bytes(), Some(run)),
        )?;
        if let Some(note) = note {
            tracing::info!("{note}");
        }
        self.warn_if_oom_likely();
        self.say(&Event::Started(Started {
            probe_id: self.probe_id(),
            workload_id: self.workload.spec.workload_id(),
            steps_total: self.steps_total,
        }));
        let metrics = self.measure(&dir);
        Ok(self.conclude(&dir, &metrics))
    }

    /// Tells of memory that is not there before the step asks for it.
    fn warn_if_oom_likely(&self) {
        let forecast = Forecast::new(&self.workload, self.device.kind()).ok();
        if let Some(None) = forecast {
            tracing::info!("{NO_LEDGER}: what it needs is not known before it runs");
        }
        let needs =
            forecast.flatten().and_then(|f| f.reserved_bytes(self.workload.spec.colony.batch_size));
        // The facts were asked for before the context was opened.
        let context = self.device.context_bytes().and_then(Result::ok);
        let context = context.map_or(Context::NONE, Context::known);
        let memory = DeviceMemory::of(self.device.facts(), context);
        match (needs, memory.map(|memory| memory.left_bytes())) {
            (Some(needs), Some(free)) if needs > free => tracing::warn!(
                "the step needs {} GiB, and {} GiB are free now: it will likely run out of memory",
                gib(needs),
                gib(free)
            ),
            _ => {}
        }
    }

    /// Writes and tells what came of the run.
    fn conclude(&self, dir: &RunDir, metrics: &Metrics) -> Reply {
        if let Err(error) = dir.write_results(metrics) {
            terminal::complain(&error.into());
            return Reply { text: String::new(), exit: Exit::Failed };
        }
        self.say(&Event::Finished(finished(metrics)));
        Reply::done(match self.args.events {
            Some(EventFormat::Json) => String::new(),
            None => summary(metrics),
        })
    }

    fn probe_id(&self) -> String {
        self.workload.probe_id()
    }

    fn run_cmd(&self) -> RunCmd {
        // By name: where the executable lies is no part of a run.
        let command = std::iter::once("vram".to_owned());
        let arguments = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned());
        RunCmd {
            artifact_version: Some(ARTIFACT_VERSION.to_owned()),
            argv: command.chain(arguments).collect(),
            ant: Some(self.args.workload.ant.clone()),
            colony: Some(self.args.workload.colony.clone()),
            resolved_spec: self.workload.spec.to_json(),
            canonical_spec: self.workload.spec.to_json(),
            workload_id: self.workload.spec.workload_id(),
            probe_id: self.probe_id(),
            row_id: self.args.row_id.clone(),
            notes: vec![
                "seq_len is accounting: tokens/s uses it".to_owned(),
                "synth_len is the number of tokens that a step computes".to_owned(),
                "out_dim is no part of workload_schema_v1: compare by probe_id".to_owned(),
                "step is no part of either id: compare by it, too".to_owned(),
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
