//! `vram capacity`: the largest batch that fits a card.

mod shown;

use miette::miette;
use serde_json::json;
use vram_console::list_format::ListFormat;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::vram_size::VramSize;
use vram_launch::device::{card, facts};
use vram_metrics::verdict::VRAM_GUARD_RATIO;
use vram_presets::kind::PresetKind;
use vram_presets::library::Library;
use vram_presets::spec::{Precision, WorkloadSpec};
use vram_report::memory_check::{Context, DeviceMemory};
use vram_report::predictor::LoadedCalibration;
use vram_report::workload::Workload;

use crate::flags::{CalibrationFlag, ModeFlags, ratio};
use crate::stdin_preset::PresetPair;
use shown::{Capacity, Sizes, csv, lines, table};

/// `vram capacity`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "The maximum batch keeps predicted reserved within the lower of two bounds: guard x total, and
what the device has left beside the context that a process holds on a card and, with --vram auto,
what others hold now. The safe batch stays within safe-ratio x total, and never exceeds the
maximum. A card of which no --calibration tells the context is assumed to have the largest one of
all calibrations. --step plain has no ledger yet: it takes a --calibration that was fitted on plain
runs. Nothing runs.

Examples:
  vram capacity --ant od1_canon_real --colony od1_canon_real --precision fp16 --vram 16GiB
  vram capacity --ant od1_canon_real --colony od1_canon_real --precision fp16 --vram 16GiB --tape rows
  vram capacity --all --vram auto --format csv > capacity.csv
  vram capacity --ant od1_canon_small --colony od1_canon_real --precision fp16 \\
    --vram 17170956288 --calibration rtx4070tisuper_published --format json"
)]
pub struct Args {
    /// The model's side: preset, file, inline JSON, or - for standard input
    #[arg(long, required_unless_present = "all", requires = "colony")]
    ant: Option<String>,
    /// The data's side: preset, file, inline JSON, or - for standard input
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
        (Some(ant), Some(colony)) => vec![PresetPair::given(ant, colony)?],
        _ => all(&library),
    };
    let mut found = Vec::new();
    for pair in &pairs {
        match capacity(args, &library, &calibration, memory, pair) {
            Ok(capacity) => found.push(capacity),
            // A preset without a tier, say, is no reason to keep the others back.
            Err(why) if args.all => tracing::warn!("{} x {}: {why}", pair.ant, pair.colony),
            Err(why) => return Err(why),
        }
    }
    Ok(Reply::done(match (args.format, args.all) {
        (ListFormat::Json, true) => format!("{:#}\n", json!(found)),
        (ListFormat::Json, false) => format!("{:#}\n", json!(found[0])),
        (ListFormat::Csv, _) => csv(&found),
        (ListFormat::Table, true) => table(&found, memory, args.guard),
        (ListFormat::Table, false) => lines(&found[0], memory),
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

fn all(library: &Library) -> Vec<PresetPair> {
    let names = |kind: PresetKind| {
        let entries = library.list().into_iter().filter(move |entry| entry.kind == kind);
        entries.map(|entry| entry.name).collect::<Vec<_>>()
    };
    let colonies = names(PresetKind::Colony);
    let pairs = names(PresetKind::Ant).into_iter();
    let pair =
        |ant: &String, colony: &String| PresetPair { ant: ant.clone(), colony: colony.clone() };
    pairs
        .flat_map(|ant| colonies.iter().map(move |colony| pair(&ant, colony)).collect::<Vec<_>>())
        .collect()
}

fn capacity(
    args: &Args,
    library: &Library,
    calibration: &LoadedCalibration,
    memory: DeviceMemory,
    pair: &PresetPair,
) -> miette::Result<Capacity> {
    let (ant, colony) = (library.ant(&pair.ant)?, library.colony(&pair.colony)?);
    let spec = WorkloadSpec::new(ant.spec, colony.spec);
    let spec = args.precision.map_or(spec, |precision| spec.with_precision(precision));
    // The batch is what is asked for; one sample stands for it.
    let workload = Workload::new(spec.with_batch(1)?, args.mode.into())?;
    let predictor = calibration.predictor(&workload)?;
    let limit = memory.limit(args.guard);
    let safe_limit_bytes = memory.part(args.safe_ratio).min(limit.bytes);
    let max_batch = predictor.most(limit.bytes);
    let next = predictor.budget(max_batch + 1);
    Ok(Capacity {
        ant: pair.ant.clone(),
        colony: pair.colony.clone(),
        notes: [ant.notes, colony.notes].into_iter().flatten().collect(),
        sizes: Sizes::of(&workload),
        guard: args.guard,
        safe_ratio: args.safe_ratio,
        calibration: calibration.name().to_owned(),
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
