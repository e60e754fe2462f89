//! `vram explain`: what every byte of a step's peak is.

mod counted;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use miette::{IntoDiagnostic, MietteDiagnostic, miette};
use serde_json::json;
use vram_artifacts::atomic::write_atomically;
use vram_console::exit::Exit;
use vram_console::list_format::{FORMATS, ListFormat};
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_metrics::phase::Phase;
use vram_presets::spec::Precision;
use vram_presets::step::StepKind;
use vram_report::csv_text::csv_of;
use vram_report::defaults::NO_LEDGER;
use vram_report::phase_chart;
use vram_report::table::{Column, Style, Table, or_dash};
use vram_report::units::gib;
use vram_report::varied_sizes::VariedSize;
use vram_report::workload::Workload;
use vram_sweep::counted::CountError;
use vram_workload::device_kind::DeviceKind;
use vram_workload::extent::SizeParam;
use vram_workload::ledger::Ledger;
use vram_workload::ledger_entry::LedgerEntry;
use vram_workload::shape::Shape;

use crate::flags::WorkloadFlags;

/// `vram explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Sizes: B batch, T synth_len, R ring_len, D slot_dim, S = max(8, D/3), E out_dim, C = 256 classes,
P all parameters. An elasticity is d ln(peak) / d ln(size): 1 means linear.

--step plain has no ledger yet: vram-cuda, where it lies beside vram, runs its probe once on a virtual
card (`vram dry-run`), which tells what is alive at each phase.

Examples:
  vram explain --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16
  vram explain --ant od1_canon_real --colony od1_canon_real --precision fp16 --svg peak.svg
  vram explain --ant od1_canon_real --colony od1_canon_real --precision fp16 --tape rows --all"
)]
pub struct Args {
    #[command(flatten)]
    workload: WorkloadFlags,
    /// List every buffer, not only those that make 99.9 % of the peak
    #[arg(long)]
    all: bool,
    /// Where the step would run
    #[arg(long, default_value = DeviceKind::Cuda.name(), value_parser = device_kind())]
    device: DeviceKind,
    /// Draw the phases as stacked bars into this file
    #[arg(long, value_name = "FILE.svg", value_parser = svg_file)]
    svg: Option<PathBuf>,
    /// How to print the ledger
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

/// One of the kinds of device.
fn device_kind() -> impl TypedValueParser<Value = DeviceKind> {
    let help = |kind| match kind {
        DeviceKind::Cuda => "A card",
        DeviceKind::Cpu => "The host",
    };
    let value = |kind: DeviceKind| PossibleValue::new(kind.name()).help(help(kind));
    PossibleValuesParser::new([DeviceKind::Cuda, DeviceKind::Cpu].map(value))
        .try_map(|name| name.parse::<DeviceKind>())
}

/// A name that promises another format would be a lie about what is in the file.
fn svg_file(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg")) {
        true => Ok(path),
        false => Err("it is drawn as SVG: expected a file name that ends in .svg"),
    }
}

/// The part of the peak that is shown buffer by buffer, unless all of it is asked for.
const MOST: f64 = 0.999;

/// A buffer and its bytes.
type Ranked<'a> = (&'a LedgerEntry, u64);

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let workload = args.workload.resolve(&library()?)?;
    if workload.step != StepKind::Fused {
        return without_ledger(args, &workload);
    }
    let ledger = ledger(&workload.shape, args.device)?;
    let peak = ledger.peak().ok_or_else(|| miette!("the peak does not fit 64 bits"))?;
    let elasticities = elasticities(&workload, args.device, &ledger)?;
    if let Some(path) = &args.svg {
        write_atomically(path, phase_chart::draw(&ledger, &workload.probe_id()).as_bytes())?;
    }
    let mut ranked: Vec<Ranked<'_>> = ledger
        .entries()
        .iter()
        .filter_map(|entry| Some((entry, entry.bytes(&workload.shape)?)))
        .collect();
    ranked.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(Reply::done(match args.format {
        ListFormat::Json => to_json(&ledger, peak, &ranked, &elasticities),
        ListFormat::Csv => to_csv(&ledger, peak, &ranked),
        ListFormat::Table => to_text(&ledger, peak, &ranked, &elasticities, args.all),
    }))
}

/// What a virtual card counts of a step that has no ledger; a host's memory and a drawing by kinds of
/// buffers it does not tell.
fn without_ledger(args: &Args, workload: &Workload) -> miette::Result<Reply> {
    let nothing = MietteDiagnostic::new(format!("{NO_LEDGER}: nothing tells what its bytes are"))
        .with_help(
            "leave out --step to explain the fused step; `vram predict --step plain` answers from a \
             --calibration that was fitted on plain runs",
        );
    if args.device != DeviceKind::Cuda || args.svg.is_some() {
        return Err(nothing.into());
    }
    match crate::counted::run_of(workload)? {
        Ok(run) => Ok(Reply::done(match args.format {
            ListFormat::Json => counted::to_json(&run),
            ListFormat::Csv => counted::to_csv(&run),
            ListFormat::Table => counted::to_text(&run),
        })),
        Err(CountError::Interrupted) => Ok(Reply { text: String::new(), exit: Exit::Interrupted }),
        Err(why) => Err(crate::counted::unanswered(&nothing, &why)),
    }
}

#[tracing::instrument(level = "trace", skip_all)]
fn ledger(shape: &Shape, kind: DeviceKind) -> miette::Result<Ledger> {
    Ledger::new(shape, kind).into_diagnostic()
}

/// Per size, how the peak grows with it.
fn elasticities(
    workload: &Workload,
    kind: DeviceKind,
    ledger: &Ledger,
) -> miette::Result<Vec<(&'static str, f64)>> {
    let mut found: Vec<_> = SizeParam::ALL
        .iter()
        .filter_map(|&size| Some((VariedSize::Size(size).name(), ledger.elasticity(size)?)))
        .collect();
    // From two bytes an element to four: the one step that this size has.
    let peak = |precision: Precision, amp: bool| -> miette::Result<f64> {
        let spec = workload.spec.with_precision(precision);
        let shape = Shape::new(&spec, workload.out_dim, amp).into_diagnostic()?;
        let shape = shape.with_tape(workload.shape.tape);
        Ok(self::ledger(&shape, kind)?.peak().unwrap_or(0) as f64)
    };
    let ratio = peak(Precision::Fp32, false)? / peak(Precision::Fp16, true)?;
    found.push((VariedSize::Precision.name(), ratio.ln() / 2f64.ln()));
    Ok(found)
}

fn alive(entry: &LedgerEntry) -> String {
    let phases = Phase::ALL.iter().copied().filter(|phase| entry.alive_at(*phase));
    phases.map(Phase::name).collect::<Vec<_>>().join(" ")
}

fn to_json(
    ledger: &Ledger,
    peak: u64,
    ranked: &[Ranked<'_>],
    elasticities: &[(&str, f64)],
) -> String {
    let entries = ranked.iter().map(|(entry, bytes)| {
        let phases: Vec<_> = Phase::ALL.iter().copied().filter(|p| entry.alive_at(*p)).collect();
        json!({
            "name": entry.spec.name,
            "class": entry.spec.kind.name(),
            "formula": entry.formula(),
            "bytes": bytes,
            "phases": phases,
        })
    });
    let phases: serde_json::Map<_, _> =
        Phase::ALL.iter().copied().map(|p| (p.name().to_owned(), json!(ledger.at(p)))).collect();
    let elasticities: serde_json::Map<_, _> =
        elasticities.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let json = json!({
        "peak_allocated_bytes": peak,
        "peak_phase": ledger.peak_phase(),
        "phases": phases,
        "elasticities": elasticities,
        "entries": entries.collect::<Vec<_>>(),
    });
    format!("{json:#}\n")
}

/// What of the peak a buffer is, in percent; none where it is not alive then.
fn part_of_peak(ledger: &Ledger, peak: u64, entry: &LedgerEntry, bytes: u64) -> Option<f64> {
    entry.alive_at(ledger.peak_phase()).then(|| 100.0 * bytes as f64 / peak as f64)
}

/// A row for each buffer.
fn to_csv(ledger: &Ledger, peak: u64, ranked: &[Ranked<'_>]) -> String {
    let record = |(entry, bytes): &Ranked<'_>| {
        json!({
            "name": entry.spec.name,
            "class": entry.spec.kind.name(),
            "formula": entry.formula(),
            "bytes": bytes,
            "percent_of_peak": part_of_peak(ledger, peak, entry, *bytes),
            "phases": alive(entry),
        })
    };
    let columns = ["name", "class", "formula", "bytes", "percent_of_peak", "phases"];
    csv_of(&columns, &ranked.iter().map(record).collect::<Vec<_>>())
}

/// The largest buffers that make up [`MOST`] of the peak, and a line on the others.
fn most_of_peak<'a>(
    ledger: &Ledger,
    peak: u64,
    ranked: &[Ranked<'a>],
) -> (Vec<Ranked<'a>>, String) {
    let at = ledger.peak_phase();
    let (alive, others): (Vec<_>, Vec<_>) =
        ranked.iter().copied().partition(|(entry, _)| entry.alive_at(at));
    let mut sum = 0;
    let enough = |&(_, bytes): &Ranked<'a>| {
        let is_more = (sum as f64) < MOST * peak as f64;
        sum += bytes;
        is_more
    };
    let shown: Vec<Ranked<'a>> = alive.iter().copied().take_while(enough).collect();
    let rest = &alive[shown.len()..];
    let bytes: u64 = rest.iter().map(|(_, bytes)| bytes).sum();
    let percent = 100.0 * bytes as f64 / peak as f64;
    let line = format!(
        "and {} more, {bytes} bytes ({percent:.3} %), and {} not alive at the peak: --all\n",
        rest.len(),
        others.len()
    );
    (shown, if rest.is_empty() && others.is_empty() { String::new() } else { line })
}

fn to_text(
    ledger: &Ledger,
    peak: u64,
    ranked: &[Ranked<'_>],
    elasticities: &[(&str, f64)],
    all: bool,
) -> String {
    let at = ledger.peak_phase();
    let part = |entry: &LedgerEntry, bytes| {
        or_dash(part_of_peak(ledger, peak, entry, bytes), |percent| format!("{percent:.3}"))
    };
    let columns = [
        Column::text("buffer", 0, |(entry, _): &Ranked<'_>| entry.spec.name.to_owned()),
        Column::text("class", 2, |(entry, _): &Ranked<'_>| entry.spec.kind.name().to_owned()),
        Column::text("bytes =", 1, |(entry, _): &Ranked<'_>| entry.formula()),
        Column::number("bytes", 0, |(_, bytes): &Ranked<'_>| bytes.to_string()),
        Column::number("% of peak", 0, |(entry, bytes): &Ranked<'_>| part(entry, *bytes)),
        Column::text("alive at", 3, |(entry, _): &Ranked<'_>| alive(entry)),
    ];
    let (shown, rest) = match all {
        true => (ranked.to_vec(), String::new()),
        false => most_of_peak(ledger, peak, ranked),
    };
    let table = Table::of(&columns, &shown).also_as(FORMATS).draw(Style::Terminal) + &rest;
    let phase = |&phase: &Phase| {
        let bytes = ledger.at(phase).unwrap_or(0);
        format!("  {:14} {bytes:>16}  {} GiB\n", phase.name(), gib(bytes))
    };
    let phases: String = Phase::ALL.iter().map(phase).collect();
    let varied_sizes: String =
        elasticities.iter().map(|(name, value)| format!("  {name:10} {value:.4}\n")).collect();
    format!(
        "{table}\npeak allocated: {peak} bytes ({} GiB), at {at}\n\nallocated at each phase\n{phases}\n\
         elasticity of the peak (1: linear)\n{varied_sizes}",
        gib(peak),
    )
}
