//! `vram probe`: one measured run. Here is what is refused and what is written in which order; the
//! measurement itself is in `measure`.

mod debug;
pub(crate) mod device;
mod measure;
mod options;
mod prepared;
mod stall;

use vram_artifacts::events::{Event, Started};
use vram_artifacts::run_dir::RunDir;
use vram_artifacts::steps::steps_total;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_launch::device::Place;
use vram_report::defaults::NO_LEDGER;
use vram_report::memory_check::{Context, DeviceMemory};
use vram_report::predictor::Forecast;
use vram_report::units::gib;

use crate::{machine, on_card};
use device::{Cpu, ProbeDevice};
use measure::measure;
pub use options::Args;
use prepared::Probe;

/// Runs here, or hands over to the executable that runs on a card.
pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    match on_card::place(args.device.device)? {
        Place::Cuda(card, executable) => {
            // What can be refused without the card is refused before it is opened.
            let given = prepare(args, || Ok(()))?.given;
            tracing::info!("running on cuda:{}, {}", card.ordinal, card.name);
            on_card::exec_with(&executable, given.arguments())
        }
        Place::Cpu(why) => {
            let note = why.map(|why| format!("running on the CPU: {why}"));
            run_prepared(&prepare(args, Cpu::open)?, note)
        }
    }
}

/// Runs on a card.
#[cfg(feature = "cuda")]
pub(crate) fn run_on_card(args: &Args) -> miette::Result<Reply> {
    run_prepared(&prepare(args, || device::OpenCard::open(args.device.device))?, None)
}

/// Checks everything that can be refused; the device is opened last.
fn prepare<D>(
    args: &Args,
    open: impl FnOnce() -> miette::Result<D>,
) -> miette::Result<Probe<'_, D>> {
    let given = args.workload.given()?;
    let workload = args.workload.resolve_given(&library()?, &given)?;
    let steps_total = steps_total(args.warmup_steps, args.measure_steps)?;
    Ok(Probe { args, given, workload, steps_total, device: open()? })
}

/// `note` is said once nothing can be refused any more.
fn run_prepared(
    probe: &Probe<'_, impl ProbeDevice>,
    note: Option<String>,
) -> miette::Result<Reply> {
    if probe.device.facts().is_virtual {
        RunDir::clear_of_virtual(&probe.args.output_dir)?;
    }
    let dir = RunDir::create(&probe.args.output_dir)?;
    let run = (probe.workload.spec.ant.precision.to_string(), probe.workload.amp);
    let facts = probe.device.facts().clone();
    // Not kept: its text, whose length the time of day decides, is no part of the step's memory.
    dir.write_start(
        &probe.run_cmd(),
        &machine::env(facts, probe.device.context_bytes(), Some(run)),
    )?;
    if let Some(note) = note {
        tracing::info!("{note}");
    }
    warn_if_oom_likely(probe);
    probe.say(&Event::Started(Started {
        probe_id: probe.probe_id(),
        workload_id: probe.workload.spec.workload_id(),
        steps_total: probe.steps_total,
    }));
    let metrics = measure(probe, &dir);
    Ok(probe.conclude(&dir, &metrics))
}

/// Tells of memory that is not there before the step asks for it.
fn warn_if_oom_likely(probe: &Probe<'_, impl ProbeDevice>) {
    let forecast = Forecast::new(&probe.workload, probe.device.kind()).ok();
    if let Some(None) = forecast {
        tracing::info!("{NO_LEDGER}: what it needs is not known before it runs");
    }
    let needs =
        forecast.flatten().and_then(|f| f.reserved_bytes(probe.workload.spec.colony.batch_size));
    // The facts were asked for before the context was opened.
    let context = probe.device.context_bytes().and_then(Result::ok);
    let context = context.map_or(Context::NONE, Context::known);
    let memory = DeviceMemory::of(probe.device.facts(), context);
    match (needs, memory.map(|memory| memory.left_bytes())) {
        (Some(needs), Some(free)) if needs > free => tracing::warn!(
            "the step needs {} GiB, and {} GiB are free now: it will likely run out of memory",
            gib(needs),
            gib(free)
        ),
        _ => {}
    }
}
