//! `vram capacity`: the largest batch that fits a card.

use miette::miette;
use serde::Serialize;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::vram_size::VramSize;
use vram_launch::device::{card, facts};
use vram_metrics::verdict::VRAM_GUARD_RATIO;
use vram_presets::kind::PresetKind;
use vram_presets::library::Library;
use vram_presets::name::short;
use vram_presets::spec::{Precision, WorkloadSpec};
use vram_report::memory_check::{Bound, Context, DeviceMemory};
use vram_report::predictor::LoadedCalibration;
use vram_report::table::{Style, Table, or_dash};
use vram_report::units::gib;
use vram_report::workload::Workload;
use vram_source::escape;

use crate::flags::{CalibrationFlag, ListFormat, ModeFlags, ratio};

/// `vram capacity`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The maximum batch keeps predicted reserved within the lower of two bounds: guard x total, and
what the device has left beside the context that a process holds on a card and, with --vram auto,
what others hold now. The safe batch stays within safe-ratio x total, and never exceeds the
maximum. A card of which no --calibration tells the context is assumed to have the largest one of
all calibrations. --step plain has no ledger yet: it takes a --calibration that was fitted on plain
runs. Nothing runs.

Examples:
  vram capacity --ant od1_canon_real --colony od1_canon_real --precision fp16 --vram 16GiB
  vram capacity --ant od1_canon_real --colony od1_canon_real --precision fp16 --vram 16GiB --tape rows
  vram capacity --all --vram auto
  vram capacity --ant od1_canon_small --colony od1_canon_real --precision fp16 \\
    --vram 17170956288 --calibration rtx4070tisuper_published --format json"
)]
pub struct Args {
    /// The model's side: preset, file or inline JSON
    #[arg(long, required_unless_present = "all", requires = "colony")]
    ant: Option<String>,
    /// The data's side: preset, file or inline JSON
    #[arg(long, required_unless_present = "all", requires = "ant")]
    colony: Option<String>,
    /// Every ant with every colony of the presets
    #[arg(long, conflicts_with_all = ["ant", "colony"])]
    all: bool,
    /// Precision of the step, in place of the ant's: fp32, fp16 or bf16
    #[arg(long, value_name = "P")]
    precision: Option<Precision>,
    #[command(flatten)]
    mode: ModeFlags,
    /// The card's memory: a size such as 16GiB, a number of bytes, or auto for the card that is here
    #[arg(long, value_name = "SIZE|auto")]
    vram: VramSize,
    /// Part of the memory that reserved may reach
    #[arg(long, value_name = "RATIO", default_value_t = VRAM_GUARD_RATIO, value_parser = ratio)]
    guard: f64,
    /// Part of the memory that a safe start leaves reserved within
    #[arg(long, value_name = "RATIO", default_value = "0.85", value_parser = ratio)]
    safe_ratio: f64,
    #[command(flatten)]
    calibration: CalibrationFlag,
    /// How to print the capacity
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

/// What fits. Sizes in bytes.
#[derive(Debug, Serialize)]
struct Capacity {
    ant: String,
    colony: String,
    /// Largest batch whose reserved stays within the limit; 0 where not one sample fits.
    max_batch: u64,
    /// Largest batch whose reserved stays within the safe limit; never above the maximum.
    safe_batch: u64,
    /// The lower one of the next two.
    limit_bytes: u64,
    limited_by: Bound,
    /// `guard * total`.
    guard_limit_bytes: u64,
    /// The total without the context and what others hold.
    device_limit_bytes: u64,
    /// `safe_ratio * total`, or the limit where that is lower.
    safe_limit_bytes: u64,
    total_bytes: u64,
    #[serde(flatten)]
    context: Context,
    /// What others hold now, where the device that is here was asked.
    held_by_others_bytes: u64,
    /// Predicted reserved of the maximum batch.
    reserved_bytes: Option<u64>,
    /// Predicted reserved of one sample more, which breaks the limit.
    next_reserved_bytes: Option<u64>,
    source: String,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let library = library()?;
    let calibration = LoadedCalibration::load(&library, args.calibration.named())?;
    let memory = memory(args.vram, calibration.context())?;
    tracing::debug!(
        "device: {} bytes, {} of them held by others, context {}",
        memory.total_bytes,
        memory.held_bytes,
        memory.context
    );
    let pairs = match (&args.ant, &args.colony) {
        (Some(ant), Some(colony)) => vec![(ant.clone(), colony.clone())],
        _ => all(&library),
    };
    let mut found = Vec::new();
    for (ant, colony) in &pairs {
        match capacity(args, &library, &calibration, memory, (ant, colony)) {
            Ok(capacity) => found.push(capacity),
            // A preset without a tier, say, is no reason to keep the others back.
            Err(why) if args.all => tracing::warn!("{ant} x {colony}: {why}"),
            Err(why) => return Err(why),
        }
    }
    Ok(Reply::done(match (args.format, args.all) {
        (ListFormat::Json, true) => format!("{:#}\n", serde_json::json!(found)),
        (ListFormat::Json, false) => format!("{:#}\n", serde_json::json!(found[0])),
        (ListFormat::Table, true) => table(&found, memory, args),
        (ListFormat::Table, false) => lines(&found[0], memory, args),
    }))
}

fn memory(vram: VramSize, context: Context) -> miette::Result<DeviceMemory> {
    match vram {
        VramSize::Bytes(bytes) => Ok(DeviceMemory::unused(bytes, context)),
        VramSize::Auto => {
            let card = card(0).inspect_err(|why| {
                tracing::warn!(
                    "the memory of this host counts, without a context, and what a step would \
                     reserve on a card: {why}"
                );
            });
            let context = if card.is_ok() { context } else { Context::NONE };
            DeviceMemory::of(&facts(card.as_ref().ok()), context).ok_or_else(|| {
                miette!(help = "name a size: --vram 16GiB", "the device does not tell its memory")
            })
        }
    }
}

fn all(library: &Library) -> Vec<(String, String)> {
    let names = |kind: PresetKind| {
        let entries = library.list().into_iter().filter(move |entry| entry.kind == kind);
        entries.map(|entry| entry.name).collect::<Vec<_>>()
    };
    let colonies = names(PresetKind::Colony);
    let pairs = names(PresetKind::Ant).into_iter();
    pairs.flat_map(|ant| colonies.iter().map(move |c| (ant.clone(), c.clone()))).collect()
}

fn capacity(
    args: &Args,
    library: &Library,
    calibration: &LoadedCalibration,
    memory: DeviceMemory,
    (ant, colony): (&str, &str),
) -> miette::Result<Capacity> {
    let spec = WorkloadSpec::new(library.ant(ant)?.spec, library.colony(colony)?.spec);
    let spec = args.precision.map_or(spec, |precision| spec.with_precision(precision));
    // The batch is what is asked for; one sample stands for it.
    let workload = Workload::new(spec.with_batch(1)?, args.mode.into())?;
    let predictor = calibration.predictor(&workload)?;
    let limit = memory.limit(args.guard);
    let safe_limit_bytes = memory.part(args.safe_ratio).min(limit.bytes);
    let max_batch = predictor.most(limit.bytes);
    let next = predictor.budget(max_batch + 1);
    Ok(Capacity {
        ant: ant.to_owned(),
        colony: colony.to_owned(),
        max_batch,
        safe_batch: predictor.most(safe_limit_bytes),
        limit_bytes: limit.bytes,
        limited_by: limit.bound,
        guard_limit_bytes: memory.part(args.guard),
        device_limit_bytes: memory.left_bytes(),
        safe_limit_bytes,
        total_bytes: memory.total_bytes,
        context: memory.context,
        held_by_others_bytes: memory.held_bytes,
        reserved_bytes: predictor.budget(max_batch.max(1)).map(|b| b.reserved_bytes),
        next_reserved_bytes: next.as_ref().map(|b| b.reserved_bytes),
        source: next.map_or(String::new(), |b| b.source),
    })
}

fn lines(found: &Capacity, memory: DeviceMemory, args: &Args) -> String {
    let size = |bytes: Option<u64>| bytes.map_or("beyond 64 bits".to_owned(), |b| gib(b) + " GiB");
    let limit = memory.limit(args.guard);
    let next = size(found.next_reserved_bytes);
    let mut text = match found.max_batch {
        0 => format!(
            "maximum batch  0: one sample reserves {next}, and {} GiB may be\n",
            gib(limit.bytes)
        ),
        most => format!(
            "maximum batch  {most}: reserves {} of the {} GiB that it may; {} would reserve {next}\n",
            size(found.reserved_bytes),
            gib(limit.bytes),
            most + 1,
        ),
    };
    text += &format!(
        "limited by     {limit}\nsafe batch     {} (within {} of the memory, and the maximum)\n\
         device         {} GiB ({} bytes), guard {}\n",
        found.safe_batch,
        args.safe_ratio,
        gib(found.total_bytes),
        found.total_bytes,
        args.guard,
    );
    text += &beside(memory);
    text + &format!("source         {}\n", escape::line(&found.source))
}

/// What is held on the device beside what a step reserves.
fn beside(memory: DeviceMemory) -> String {
    let mut text = match memory.context {
        Context::NONE => String::new(),
        context => format!("context        {context}\n"),
    };
    if memory.held_bytes > 0 {
        text += &format!(
            "held by others {} GiB ({} bytes)\n",
            gib(memory.held_bytes),
            memory.held_bytes
        );
    }
    text
}

fn table(found: &[Capacity], memory: DeviceMemory, args: &Args) -> String {
    let heads = ["ant", "colony", "max batch", "reserved GiB", "next GiB", "safe batch"];
    let size = |bytes: Option<u64>| or_dash(bytes, gib);
    let rows = found.iter().map(|capacity| {
        [
            short(&capacity.ant).to_owned(),
            short(&capacity.colony).to_owned(),
            capacity.max_batch.to_string(),
            size(capacity.reserved_bytes.filter(|_| capacity.max_batch > 0)),
            size(capacity.next_reserved_bytes),
            capacity.safe_batch.to_string(),
        ]
    });
    let table = Table::new(heads).numbers_from(2).with_rows(rows).draw(Style::Terminal);
    let limit = memory.limit(args.guard);
    format!(
        "{table}max batch: reserved within {} GiB; next: one sample more\nlimited by     {limit}\n{}",
        gib(limit.bytes),
        beside(memory)
    )
}
