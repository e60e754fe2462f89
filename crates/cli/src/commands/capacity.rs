//! `vram capacity`: the largest batch that fits a card.

use comfy_table::{CellAlignment, Table, presets};
use miette::miette;
use serde::Serialize;
use vram_metrics::{DeviceFacts, VRAM_GUARD_RATIO};
use vram_presets::{Kind, Library, Precision, WorkloadSpec};

use super::Reply;
use crate::args::{ListFormat, Mode, Vram, Workload};
use crate::budget::{DEFAULT_CALIBRATION, Oracle};
use crate::study::{gib, short};
use crate::{device, escape};

/// `vram capacity`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The maximum batch keeps predicted reserved within guard x total, the safe batch within
safe-ratio x total. Nothing runs.

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
    /// Calibration preset or file
    #[arg(long, value_name = "NAME|FILE", default_value = DEFAULT_CALIBRATION)]
    calibration: String,
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
    /// Largest batch whose reserved stays within the safe limit.
    safe_batch: u64,
    /// `guard * total`.
    limit_bytes: u64,
    safe_limit_bytes: u64,
    total_bytes: u64,
    /// Predicted reserved of the maximum batch.
    reserved_bytes: Option<u64>,
    /// Predicted reserved of one sample more, which breaks the limit.
    next_reserved_bytes: Option<u64>,
    source: String,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let library = super::library()?;
    let oracle = Oracle::load(&library, &args.calibration)?;
    let total = total(args.vram)?;
    let pairs = match (&args.ant, &args.colony) {
        (Some(ant), Some(colony)) => vec![(ant.clone(), colony.clone())],
        _ => all(&library),
    };
    let mut found = Vec::new();
    for (ant, colony) in &pairs {
        match capacity(args, &library, &oracle, total, (ant, colony)) {
            Ok(capacity) => found.push(capacity),
            // A preset without a tier, say, is no reason to keep the others back.
            Err(why) if args.all => tracing::warn!("{ant} x {colony}: {why}"),
            Err(why) => return Err(why),
        }
    }
    Ok(Reply::done(match (args.format, args.all) {
        (ListFormat::Json, true) => format!("{:#}\n", serde_json::json!(found)),
        (ListFormat::Json, false) => format!("{:#}\n", serde_json::json!(found[0])),
        (ListFormat::Table, true) => table(&found),
        (ListFormat::Table, false) => lines(&found[0], args),
    }))
}

fn total(vram: Vram) -> miette::Result<u64> {
    match vram {
        Vram::Bytes(bytes) => Ok(bytes),
        Vram::Auto => match device::card(0) {
            Ok(card) => Ok(card.total_bytes),
            Err(why) => {
                tracing::info!("the memory of this host counts: {why}");
                let total = DeviceFacts::host().total_bytes;
                total.ok_or_else(|| miette!(help = "name a size: --vram 16GiB", "{why}"))
            }
        },
    }
}

fn all(library: &Library) -> Vec<(String, String)> {
    let names = |kind: Kind| {
        let entries = library.list().into_iter().filter(move |entry| entry.kind == kind);
        entries.map(|entry| entry.name).collect::<Vec<_>>()
    };
    let colonies = names(Kind::Colony);
    let pairs = names(Kind::Ant).into_iter();
    pairs.flat_map(|ant| colonies.iter().map(move |c| (ant.clone(), c.clone()))).collect()
}

fn capacity(
    args: &Args,
    library: &Library,
    oracle: &Oracle,
    total_bytes: u64,
    (ant, colony): (&str, &str),
) -> miette::Result<Capacity> {
    let spec = WorkloadSpec::new(library.ant(ant)?.spec, library.colony(colony)?.spec);
    let spec = args.precision.map_or(spec, |precision| spec.with_precision(precision));
    // The batch is what is asked for; one sample stands for it.
    let workload = Workload::new(spec.with_batch(1)?, args.mode)?;
    let predictor = oracle.predictor(&workload)?;
    // Whole bytes below the ratio, as the guard compares.
    let part = |ratio: f64| (total_bytes as f64 * ratio) as u64;
    let (limit_bytes, safe_limit_bytes) = (part(args.guard), part(args.safe_ratio));
    let max_batch = predictor.most(limit_bytes);
    let next = predictor.budget(max_batch + 1);
    Ok(Capacity {
        ant: ant.to_owned(),
        colony: colony.to_owned(),
        max_batch,
        safe_batch: predictor.most(safe_limit_bytes),
        limit_bytes,
        safe_limit_bytes,
        total_bytes,
        reserved_bytes: predictor.budget(max_batch.max(1)).map(|b| b.reserved_bytes),
        next_reserved_bytes: next.as_ref().map(|b| b.reserved_bytes),
        source: next.map_or(String::new(), |b| b.source),
    })
}

fn lines(found: &Capacity, args: &Args) -> String {
    let size = |bytes: Option<u64>| bytes.map_or("beyond 64 bits".to_owned(), |b| gib(b) + " GiB");
    let limit = gib(found.limit_bytes);
    let mut text = match found.max_batch {
        0 => format!(
            "maximum batch  0: one sample reserves {}, the guard allows {limit} GiB\n",
            size(found.next_reserved_bytes)
        ),
        most => format!(
            "maximum batch  {most}: reserved {} of the {limit} GiB that the guard allows\n\
             limited by     the guard: {} samples would reserve {}\n",
            size(found.reserved_bytes),
            most + 1,
            size(found.next_reserved_bytes)
        ),
    };
    text += &format!(
        "safe batch     {} (within {} of the memory)\ncard           {} GiB ({} bytes), guard {}\n\
         source         {}\n",
        found.safe_batch,
        args.safe_ratio,
        gib(found.total_bytes),
        found.total_bytes,
        args.guard,
        escape::line(&found.source)
    );
    text
}

fn table(found: &[Capacity]) -> String {
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
    let limit = found.first().map_or(0, |c| c.limit_bytes);
    format!("{table}\nmax batch: reserved within {} GiB; next: one sample more\n", gib(limit))
}
