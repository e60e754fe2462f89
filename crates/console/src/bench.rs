//! The bench of `vram` and `cargo xtask`: its options, what is shown of it, and its table.

use std::path::PathBuf;

use serde_json::{Value, json};
use vram_presets::library::Library;
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_report::csv_text::csv_of;
use vram_report::defaults::NO_LEDGER;
use vram_report::table::{Column, Style, Table, or_dash};
use vram_sweep::bench::{self, Bench, BenchEvent, Options, Timing};
use vram_sweep::device::Executables;

use crate::device_flag::DeviceFlag;
use crate::list_format::{FORMATS, ListFormat};
use crate::live::Live;
use crate::place::say_device;
use crate::reply::Reply;
use crate::terminal;

/// The options of a bench.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchFlags {
    /// Sweep preset or file
    #[arg(long, value_name = "NAME|FILE", default_value = "vra34")]
    sweep: String,
    #[command(flatten)]
    device: DeviceFlag,
    /// Run only these rows
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Which step of the model, fused or plain, in place of the rows' own
    #[arg(long, value_name = "STEP", value_parser = str::parse::<StepKind>)]
    step: Option<StepKind>,
    /// Which tape of the fused step, full or rows, in place of the rows' own
    #[arg(long, value_name = "TAPE", value_parser = str::parse::<TapeKind>)]
    tape: Option<TapeKind>,
    /// Steps of each row that are timed
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Run directory [default: runs/TIME-DEVICE-bench-SWEEP, TIME in UTC]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print the times
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

/// What a bench is, in a line.
pub const ABOUT: &str = "Time the step of a sweep's rows (a benchmark, not a test)";

/// What a bench is, for `--help`.
pub const LONG_ABOUT: &str = "Time the step of a sweep's rows (a benchmark, not a test)

Every row is a probe process of its own. The floor of a row is the time that its tape needs at the \
device's copy bandwidth, which is measured in the same run: 2 * T*B*R*D*4 bytes, each state read \
once and written once; with --tape rows 2 * T*B*5*D*4 bytes.";

/// What `--help` of a bench says after its options.
pub fn after_help(program: &str) -> String {
    format!(
        "Examples:
  {program} bench
  {program} bench --device cpu --only DP1
  {program} bench --sweep h200_large
  {program} bench --step plain
  {program} bench --tape rows
  {program} bench --format csv > times.csv

Prints the table, and writes it as bench.json into the run directory."
    )
}

/// Runs a bench, says how it goes, and returns its table.
///
/// # Errors
///
/// What is refused before anything runs, and a row that does not get through.
pub fn run(
    flags: &BenchFlags,
    library: &Library,
    executables: Executables<'_>,
) -> miette::Result<Reply> {
    let options = Options {
        sweep: flags.sweep.clone(),
        device: flags.device.device,
        only: flags.only.clone(),
        step: flags.step,
        tape: flags.tape,
        steps: flags.steps,
        out: flags.out.clone(),
    };
    let mut live = None;
    let mut place = String::new();
    let bench = bench::run(&options, library, executables, &mut |event| match event {
        BenchEvent::Device(device) => say_device(device),
        BenchEvent::MeasuringBandwidth => {
            live.insert(Live::new(None, 1)).say("measures the copy bandwidth");
        }
        BenchEvent::Started { row, at, of } => {
            place = format!("{} {at}/{of}", row.id);
            live.get_or_insert_with(|| Live::new(None, 1)).say(&format!("{place} starts"));
        }
        BenchEvent::Step(_, step) => {
            if let Some(live) = &live {
                live.say(&format!("{place} step {}/{} done", step.step, step.of));
            }
        }
        BenchEvent::Bandwidth(rate) => {
            let rate = rate / 1e9;
            say_above(&live, &format!("copy bandwidth: {rate:.1} GB/s, read plus written"));
        }
        BenchEvent::DoesNotFit(row, shortage) => {
            say_above(&live, &format!("{:8} not run: {shortage}", row.id));
        }
        BenchEvent::Unpredicted(row) => {
            say_above(&live, &format!("{:8} runs without a prediction: {NO_LEDGER}", row.id));
        }
        BenchEvent::Timed(timing) => {
            let step = milliseconds(timing.median_step_s);
            say_above(&live, &format!("{:8} {step} ms", timing.id));
        }
        BenchEvent::Written(file) => say_above(&live, &format!("written: {}", file.display())),
        _ => {}
    })?;
    drop(live);
    Ok(Reply::done(match flags.format {
        ListFormat::Table => table(&bench),
        ListFormat::Json => format!("{:#}\n", json!(bench)),
        ListFormat::Csv => csv(&bench),
    }))
}

/// Says a line above what lives, but under `-q`.
fn say_above(live: &Option<Live>, line: &str) {
    match live {
        Some(live) if terminal::shows_progress() => live.print(line),
        _ => terminal::say(line),
    }
}

/// With as many digits as say something: the floor of a tape of rows is some microseconds.
fn milliseconds(seconds: Option<f64>) -> String {
    or_dash(seconds, |seconds| {
        let digits = if seconds < 1e-3 { 3 } else { 1 };
        format!("{:.digits$}", seconds * 1e3)
    })
}

/// A row for each that was timed, times in seconds, as `bench.json` has them.
fn csv(bench: &Bench) -> String {
    let columns = [
        "id",
        "step",
        "tape",
        "batch_size",
        "synth_len",
        "tape_bytes",
        "forward_s",
        "backward_s",
        "optimizer_s",
        "median_step_s",
        "floor_s",
        "ratio_to_floor",
        "first_step_s",
        "probe_s",
    ];
    csv_of(&columns, &bench.rows.iter().map(|row| json!(row)).collect::<Vec<Value>>())
}

fn table(bench: &Bench) -> String {
    let columns = [
        Column::text("case", 0, |row: &Timing| row.id.clone()),
        Column::text("step", 3, |row: &Timing| row.step.to_string()),
        Column::text("tape", 3, |row: &Timing| or_dash(row.tape, |tape| tape.to_string())),
        Column::number("B", 2, |row: &Timing| row.batch_size.to_string()),
        Column::number("T", 2, |row: &Timing| row.synth_len.to_string()),
        Column::number("forward ms", 1, |row: &Timing| milliseconds(row.forward_s)),
        Column::number("backward ms", 1, |row: &Timing| milliseconds(row.backward_s)),
        Column::number("optimizer ms", 1, |row: &Timing| milliseconds(row.optimizer_s)),
        Column::number("step ms", 0, |row: &Timing| milliseconds(row.median_step_s)),
        Column::number("floor ms", 0, |row: &Timing| milliseconds(Some(row.floor_s))),
        Column::number("step / floor", 0, |row: &Timing| {
            or_dash(row.ratio_to_floor, |ratio| format!("{ratio:.2}"))
        }),
        Column::number("first step s", 4, |row: &Timing| format!("{:.2}", row.first_step_s)),
        Column::number("probe s", 4, |row: &Timing| format!("{:.2}", row.probe_s)),
    ];
    let table = Table::of(&columns, &bench.rows).also_as(FORMATS).draw(Style::Terminal);
    let rate = bench.copy_bytes_per_s / 1e9;
    format!(
        "{table}{} ({}): copy bandwidth {rate:.1} GB/s, {} rows in {:.1} s\n",
        bench.machine,
        bench.device,
        bench.rows.len(),
        bench.whole_s
    )
}
