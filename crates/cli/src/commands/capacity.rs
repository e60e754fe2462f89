//! `vram capacity`: the largest batch that fits a card.

use comfy_table::{CellAlignment, Table, presets};
use miette::miette;
use serde::Serialize;
use vram_metrics::VRAM_GUARD_RATIO;
use vram_presets::{Library, Precision, PresetKind, WorkloadSpec};

use super::Reply;
use crate::args::{CalibrationArg, ListFormat, Mode, Vram, Workload};
use crate::budget::Oracle;
use crate::room::{Bound, Context, Room};
use crate::study::{gib, short};
use crate::{device, escape};

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
    mode: Mode,
    /// The card's memory: a size such as 16GiB, a number of bytes, or auto for the card that is here
    #[arg(long, value_name = "SIZE|auto")]
    vram: Vram,
    /// Part of the memory that reserved may reach
    #[arg(long, value_name = "RATIO", default_value_t = VRAM_GUARD_RATIO, value_parser = ratio)]
    guard: f64,
    /// Part of the memory that a safe start leaves reserved within
    #[arg(long, value_name = "RATIO", default_value = "0.85", value_parser = ratio)]
    safe_ratio: f64,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// How to print the capacity
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(ratio) if ratio > 0.0 && ratio <= 1.0 => Ok(ratio),
        _ => Err("expected a ratio above 0 and up to 1"),
    }
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
    let library = super::library()?;
    let oracle = Oracle::load(&library, args.calibration.named())?;
    let room = room(args.vram, oracle.context())?;
    let pairs = match (&args.ant, &args.colony) {
        (Some(ant), Some(colony)) => vec![(ant.clone(), colony.clone())],
        _ => all(&library),
    };
    let mut found = Vec::new();
    for (ant, colony) in &pairs {
        match capacity(args, &library, &oracle, room, (ant, colony)) {
            Ok(capacity) => found.push(capacity),
            // A preset without a tier, say, is no reason to keep the others back.
            Err(why) if args.all => tracing::warn!("{ant} x {colony}: {why}"),
            Err(why) => return Err(why),
        }
    }
    Ok(Reply::done(match (args.format, args.all) {
        (ListFormat::Json, true) => format!("{:#}\n", serde_json::json!(found)),
        (ListFormat::Json, false) => format!("{:#}\n", serde_json::json!(found[0])),
        (ListFormat::Table, true) => table(&found, room, args),
        (ListFormat::Table, false) => lines(&found[0], room, args),
    }))
}

fn room(vram: Vram, context: Context) -> miette::Result<Room> {
    match vram {
        Vram::Bytes(bytes) => Ok(Room::empty(bytes, context)),
        Vram::Auto => {
            let card = device::card(0).inspect_err(|why| {
                tracing::warn!(
                    "the memory of this host counts, without a context, and what a step would \
                     reserve on a card: {why}"
                );
            });
            let context = if card.is_ok() { context } else { Context::NONE };
            Room::of(&device::facts(card.as_ref().ok()), context).ok_or_else(|| {
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
    oracle: &Oracle,
    room: Room,
    (ant, colony): (&str, &str),
) -> miette::Result<Capacity> {
    let spec = WorkloadSpec::new(library.ant(ant)?.spec, library.colony(colony)?.spec);
    let spec = args.precision.map_or(spec, |precision| spec.with_precision(precision));
    // The batch is what is asked for; one sample stands for it.
    let workload = Workload::new(spec.with_batch(1)?, args.mode)?;
    let predictor = oracle.predictor(&workload)?;
    let limit = room.limit(args.guard);
    let safe_limit_bytes = room.part(args.safe_ratio).min(limit.bytes);
    let max_batch = predictor.most(limit.bytes);
    let next = predictor.budget(max_batch + 1);
    Ok(Capacity {
        ant: ant.to_owned(),
        colony: colony.to_owned(),
        max_batch,
        safe_batch: predictor.most(safe_limit_bytes),
        limit_bytes: limit.bytes,
        limited_by: limit.bound,
        guard_limit_bytes: room.part(args.guard),
        device_limit_bytes: room.left_bytes(),
        safe_limit_bytes,
        total_bytes: room.total_bytes,
        context: room.context,
        held_by_others_bytes: room.held_bytes,
        reserved_bytes: predictor.budget(max_batch.max(1)).map(|b| b.reserved_bytes),
        next_reserved_bytes: next.as_ref().map(|b| b.reserved_bytes),
        source: next.map_or(String::new(), |b| b.source),
    })
}

fn lines(found: &Capacity, room: Room, args: &Args) -> String {
    let size = |bytes: Option<u64>| bytes.map_or("beyond 64 bits".to_owned(), |b| gib(b) + " GiB");
    let limit = room.limit(args.guard);
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
    text += &beside(room);
    text + &format!("source         {}\n", escape::line(&found.source))
}

/// What is held on the device beside what a step reserves.
fn beside(room: Room) -> String {
    let mut text = match room.context {
        Context::NONE => String::new(),
        context => format!("context        {context}\n"),
    };
    if room.held_bytes > 0 {
        text +=
            &format!("held by others {} GiB ({} bytes)\n", gib(room.held_bytes), room.held_bytes);
    }
    text
}

fn table(found: &[Capacity], room: Room, args: &Args) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["ant", "colony", "max batch", "reserved GiB", "next GiB", "safe batch"]);
    let size = |bytes: Option<u64>| bytes.map_or("-".to_owned(), gib);
    for capacity in found {
        table.add_row([
            escape::line(short(&capacity.ant)).into_owned(),
            escape::line(short(&capacity.colony)).into_owned(),
            capacity.max_batch.to_string(),
            size(capacity.reserved_bytes.filter(|_| capacity.max_batch > 0)),
            size(capacity.next_reserved_bytes),
            capacity.safe_batch.to_string(),
        ]);
    }
    table.column_iter_mut().skip(2).for_each(|c| c.set_cell_alignment(CellAlignment::Right));
    let limit = room.limit(args.guard);
    format!(
        "{table}\nmax batch: reserved within {} GiB; next: one sample more\nlimited by     {limit}\n{}",
        gib(limit.bytes),
        beside(room)
    )
}
