//! `cargo xtask bench`: how long a step takes, against the time its tape alone needs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use miette::{IntoDiagnostic, WrapErr, bail};
use serde::Serialize;
use vram_cli::artifacts::{self, RunRecord};
use vram_cli::budget::NO_LEDGER;
use vram_cli::device::{Choice, Executable};
use vram_cli::events::Step;
use vram_cli::{Reply, terminal};
use vram_metrics::Phase;
use vram_presets::{Library, StepKind};

use crate::sweep::binary::{Capability, Target};
use crate::sweep::child::{self, Crash, Limits, Outcome};
use crate::sweep::plan::{self, Plan, Row};
use crate::sweep::room::shortage;

/// Time the step of a sweep's rows (a benchmark, not a test)
///
/// Every row is a probe process of its own. The floor of a row is the time that its tape needs at
/// the device's copy bandwidth, which is measured in the same run: 2 * T*B*R*D*4 bytes, each state
/// read once and written once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask bench
  cargo xtask bench --device cpu --only DP1
  cargo xtask bench --sweep h200_large
  cargo xtask bench --step plain

Prints the table, and writes it as bench.json into the run directory.")]
pub struct Args {
    /// Sweep preset or file
    #[arg(long, value_name = "NAME|FILE", default_value = "vra34")]
    sweep: String,
    /// Where rows run: auto (a card if there is one), cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_parser = str::parse::<Choice>)]
    device: Choice,
    /// Compute capability to build the CUDA probe for [default: the card's]
    #[arg(long, value_name = "X.Y", value_parser = str::parse::<Capability>)]
    compute_cap: Option<Capability>,
    /// Run only these rows
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Which step of the model, fused or plain, in place of the rows' own
    #[arg(long, value_name = "STEP", value_parser = str::parse::<StepKind>)]
    step: Option<StepKind>,
    /// Steps of each row that are timed
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Run directory [default: runs/TIME-DEVICE-bench-SWEEP, TIME in UTC]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Use the executables beside this one instead of building them
    #[arg(long)]
    no_build: bool,
}

/// What a bench came to. Times in seconds, sizes in bytes.
#[derive(Debug, Serialize)]
struct Bench {
    device: String,
    machine: String,
    copy_bytes_per_s: f64,
    rows: Vec<Timing>,
    /// From the first row's start to the last one's end.
    whole_s: f64,
}

#[derive(Debug, Serialize)]
struct Timing {
    id: String,
    step: StepKind,
    batch_size: u64,
    synth_len: u64,
    tape_bytes: u64,
    forward_s: Option<f64>,
    backward_s: Option<f64>,
    optimizer_s: Option<f64>,
    median_step_s: Option<f64>,
    floor_s: f64,
    ratio_to_floor: Option<f64>,
    /// From the start of the process to its first finished step.
    first_step_s: f64,
    /// From the start of the process to its end.
    probe_s: f64,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    let library = Library::discover(&std::env::current_dir().into_diagnostic()?);
    let mut sweep = library.sweep(&args.sweep)?.spec;
    if let Some(step) = args.step {
        sweep.rows.iter_mut().for_each(|row| row.step = step);
    }
    let rows = plan::select(&sweep, &args.only)?;
    let target = Target::choose(args.device, !args.no_build, &library)?;
    let out = args.out.clone().unwrap_or_else(|| {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        Path::new("runs").join(format!("{now}-{}-bench-{}", target.kind().name(), sweep.name))
    });
    let mut plan = Plan::new(&library, target.kind(), rows, &out)?;
    plan.refuse_occupied()?;
    let probe = target.executable(args.compute_cap)?;
    let copy_bytes_per_s = bandwidth(&probe, target.choice())?;
    terminal::say(&format!(
        "copy bandwidth: {:.1} GB/s, read plus written",
        copy_bytes_per_s / 1e9
    ));

    let began = Instant::now();
    let mut timings = Vec::new();
    let mut machine = String::new();
    for row in &mut plan.rows {
        if let Some(shortage) = shortage(row.predicted(), target.room()) {
            terminal::say(&format!("{:8} not run: {shortage}", row.id));
            continue;
        }
        if row.forecast.is_none() {
            terminal::say(&format!("{:8} runs without a prediction: {NO_LEDGER}", row.id));
        }
        row.row.measure_steps = args.steps;
        let (timing, record) = time(row, &probe, target.choice(), copy_bytes_per_s)?;
        terminal::say(&format!("{:8} {}", row.id, milliseconds(timing.median_step_s) + " ms"));
        machine = record.machine().to_owned();
        timings.push(timing);
    }
    let bench = Bench {
        device: target.kind().name().to_owned(),
        machine,
        copy_bytes_per_s,
        rows: timings,
        whole_s: began.elapsed().as_secs_f64(),
    };
    std::fs::create_dir_all(&out).into_diagnostic()?;
    let file = out.join("bench.json");
    let json = serde_json::to_string_pretty(&bench).into_diagnostic()?;
    std::fs::write(&file, json + "\n")
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", file.display()))?;
    terminal::say(&format!("written: {}", file.display()));
    Ok(Reply::done(table(&bench)))
}

/// What the executable says of its device, in bytes per second.
fn bandwidth(probe: &Executable, choice: Choice) -> miette::Result<f64> {
    let device = choice.to_string();
    let output = probe
        .command()
        .args(["bandwidth", "--format", "json", "--device", &device])
        .output()
        .into_diagnostic()?;
    let reply: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
    match reply.and_then(|reply| reply.get("copy_bytes_per_s")?.as_f64()) {
        Some(rate) => Ok(rate),
        None => bail!(
            "the copy bandwidth cannot be measured: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
}

fn time(
    row: &Row,
    probe: &Executable,
    choice: Choice,
    copy_bytes_per_s: f64,
) -> miette::Result<(Timing, RunRecord)> {
    let began = Instant::now();
    let mut first_step_s = None;
    let observe = &mut |_: &Step| {
        first_step_s.get_or_insert_with(|| began.elapsed().as_secs_f64());
    };
    match child::run(probe, row, &choice.to_string(), &Limits::default(), observe)? {
        Outcome::Exited => {}
        Outcome::Crashed(Crash { why, .. }) | Outcome::Lost(why) => bail!("{}: {why}", row.id),
        Outcome::Interrupted => bail!("{}: interrupted", row.id),
    }
    let probe_s = began.elapsed().as_secs_f64();
    let record = artifacts::read(&row.dir)?;
    let metrics = &record.metrics;
    if let Some(why) = &metrics.runtime_exception_msg {
        bail!("{}: {why}", row.id);
    }
    let (ant, colony) = (&row.spec.ant, &row.spec.colony);
    // The probe has run with these sizes, so their product is known to fit.
    let tape_bytes = 4 * colony.batch_size * colony.synth_len * ant.ring_len * ant.slot_dim;
    let floor_s = 2.0 * tape_bytes as f64 / copy_bytes_per_s;
    let phase = |phase| metrics.phase_times_s.get(&phase).copied();
    let timing = Timing {
        id: row.id.clone(),
        step: row.row.step,
        batch_size: colony.batch_size,
        synth_len: colony.synth_len,
        tape_bytes,
        forward_s: phase(Phase::ForwardEnd),
        backward_s: phase(Phase::BackwardPeak),
        optimizer_s: phase(Phase::StepEnd),
        median_step_s: metrics.median_step_time_s,
        floor_s,
        ratio_to_floor: metrics.median_step_time_s.map(|step| step / floor_s),
        first_step_s: first_step_s.unwrap_or(f64::NAN),
        probe_s,
    };
    Ok((timing, record))
}

fn milliseconds(seconds: Option<f64>) -> String {
    seconds.map_or("-".to_owned(), |s| format!("{:.1}", s * 1e3))
}

fn table(bench: &Bench) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "case",
        "step",
        "B",
        "T",
        "forward ms",
        "backward ms",
        "optimizer ms",
        "step ms",
        "floor ms",
        "step / floor",
        "first step s",
        "probe s",
    ]);
    for row in &bench.rows {
        table.add_row([
            row.id.clone(),
            row.step.to_string(),
            row.batch_size.to_string(),
            row.synth_len.to_string(),
            milliseconds(row.forward_s),
            milliseconds(row.backward_s),
            milliseconds(row.optimizer_s),
            milliseconds(row.median_step_s),
            milliseconds(Some(row.floor_s)),
            row.ratio_to_floor.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
            format!("{:.2}", row.first_step_s),
            format!("{:.2}", row.probe_s),
        ]);
    }
    table.column_iter_mut().skip(2).for_each(|c| c.set_cell_alignment(CellAlignment::Right));
    let rate = bench.copy_bytes_per_s / 1e9;
    format!(
        "{table}\n{} ({}): copy bandwidth {rate:.1} GB/s, {} rows in {:.1} s\n",
        bench.machine,
        bench.device,
        bench.rows.len(),
        bench.whole_s
    )
}
