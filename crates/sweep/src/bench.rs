//! How long a step takes, against the time its tape alone needs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use vram_artifacts::atomic::write_atomically;
use vram_artifacts::events;
use vram_artifacts::run_record::{RunRecord, read};
use vram_launch::choice::DeviceChoice;
use vram_launch::executable::Executable;
use vram_metrics::card_is_virtual;
use vram_metrics::phase::Phase;
use vram_presets::library::Library;
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_workload::shape::TAPS;

use crate::device::{Executables, SweepDevice};
use crate::error::SweepError;
use crate::plan::{Plan, Row, select};
use crate::preflight::{Shortage, shortage};
use crate::probe_process::{self, Crash, Limits, Outcome};
use crate::run_dir;

/// What is to be timed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sweep preset or file.
    pub sweep: String,
    /// Where rows run.
    pub device: DeviceChoice,
    /// Only these rows.
    pub only: Vec<String>,
    /// Which step of the model, in place of the rows' own.
    pub step: Option<StepKind>,
    /// Which tape of the fused step, in place of the rows' own.
    pub tape: Option<TapeKind>,
    /// Steps of each row that are timed.
    pub steps: u64,
    /// The run directory; none is one in `runs`, named after now, the device and the sweep.
    pub out: Option<PathBuf>,
}

/// Something that happened, for whoever shows it.
#[derive(Debug)]
#[non_exhaustive]
pub enum BenchEvent<'a> {
    /// The rows will run here.
    Device(&'a SweepDevice),
    /// The device's copy bandwidth is measured, which takes a moment.
    MeasuringBandwidth,
    /// The device's copy bandwidth, in bytes read plus written per second.
    Bandwidth(f64),
    /// A row is predicted not to fit and does not run.
    DoesNotFit(&'a Row, &'a Shortage),
    /// A row runs of which nothing is predicted.
    Unpredicted(&'a Row),
    /// A row's process starts.
    Started {
        /// The row.
        row: &'a Row,
        /// Which it is, from one.
        at: usize,
        /// Of how many.
        of: usize,
    },
    /// A step of a row is over.
    Step(&'a Row, &'a events::Step),
    /// A row was timed.
    Timed(&'a Timing),
    /// The file with the times is written.
    Written(&'a Path),
}

/// What a bench came to. Times in seconds, sizes in bytes.
#[derive(Debug, Serialize)]
pub struct Bench {
    /// `cpu` or `cuda`.
    pub device: String,
    /// The device's name.
    pub machine: String,
    /// Its copy bandwidth, read plus written.
    pub copy_bytes_per_s: f64,
    /// Rows, in the order in which they ran.
    pub rows: Vec<Timing>,
    /// From the first row's start to the last one's end.
    pub whole_s: f64,
}

/// How long a row's step takes. Times in seconds.
#[derive(Debug, Serialize)]
pub struct Timing {
    /// The row.
    pub id: String,
    /// Which step of the model it took.
    pub step: StepKind,
    /// The tape of the fused step; none of the plain one.
    pub tape: Option<TapeKind>,
    /// Samples per step.
    pub batch_size: u64,
    /// Tokens per sample.
    pub synth_len: u64,
    /// Bytes of the tape: `4 * B*T*R*D`, or of rows `4 * B*T*5*D`. Of the plain step, whose tape is
    /// autograd's, the first.
    pub tape_bytes: u64,
    /// Median of the forward pass.
    pub forward_s: Option<f64>,
    /// Median of the backward pass.
    pub backward_s: Option<f64>,
    /// Median of the optimizer's step.
    pub optimizer_s: Option<f64>,
    /// Median of the whole step.
    pub median_step_s: Option<f64>,
    /// The time that the tape needs at the copy bandwidth, each byte read once and written once.
    pub floor_s: f64,
    /// The step over the floor.
    pub ratio_to_floor: Option<f64>,
    /// From the start of the process to its first finished step.
    pub first_step_s: f64,
    /// From the start of the process to its end.
    pub probe_s: f64,
}

/// Times every row in a probe process of its own, and writes `bench.json` into the run directory.
///
/// # Errors
///
/// What can be refused before anything runs, and a row that does not get through.
pub fn run(
    options: &Options,
    library: &Library,
    executables: Executables<'_>,
    listen: &mut dyn FnMut(BenchEvent<'_>),
) -> Result<Bench, SweepError> {
    let mut sweep = library.sweep(&options.sweep)?.spec;
    if let Some(step) = options.step {
        step.check_tape(options.tape)?;
    }
    for row in &mut sweep.rows {
        row.step = options.step.unwrap_or(row.step);
        row.tape = row.step.tape(options.tape.or(row.tape));
    }
    let rows = select(&sweep, &options.only)?;
    let (device, probe) = SweepDevice::choose(options.device, executables, library)?;
    if device.card.is_some() && card_is_virtual() {
        return Err(SweepError::VirtualCard);
    }
    listen(BenchEvent::Device(&device));
    let out = options.out.clone().unwrap_or_else(|| {
        run_dir::named_after_now(&format!("{}-bench-{}", device.kind().name(), sweep.name))
    });
    let mut plan = Plan::new(library, device.kind(), rows, &out)?;
    plan.refuse_occupied()?;
    let probe = probe.executable(std::slice::from_ref(&device))?;
    listen(BenchEvent::MeasuringBandwidth);
    let copy_bytes_per_s = bandwidth(&probe, device.choice())?;
    listen(BenchEvent::Bandwidth(copy_bytes_per_s));

    let began = Instant::now();
    let mut timings = Vec::new();
    let mut machine = String::new();
    let of = plan.rows.len();
    for (at, row) in plan.rows.iter_mut().enumerate() {
        if let Some(shortage) = shortage(row, device.memory()) {
            listen(BenchEvent::DoesNotFit(row, &shortage));
            continue;
        }
        if row.forecast.is_none() {
            listen(BenchEvent::Unpredicted(row));
        }
        row.row.measure_steps = options.steps;
        listen(BenchEvent::Started { row, at: at + 1, of });
        let (timing, record) = time(row, &probe, device.choice(), copy_bytes_per_s, listen)?;
        listen(BenchEvent::Timed(&timing));
        machine = record.machine().to_owned();
        timings.push(timing);
    }
    let bench = Bench {
        device: device.kind().name().to_owned(),
        machine,
        copy_bytes_per_s,
        rows: timings,
        whole_s: began.elapsed().as_secs_f64(),
    };
    write(&bench, &out, listen)?;
    Ok(bench)
}

fn write(
    bench: &Bench,
    out: &Path,
    listen: &mut dyn FnMut(BenchEvent<'_>),
) -> Result<(), SweepError> {
    std::fs::create_dir_all(out).map_err(SweepError::system(format!("make {}", out.display())))?;
    let file = out.join("bench.json");
    // Names and numbers alone: nothing in it can fail to be JSON.
    let json = serde_json::to_string_pretty(bench).unwrap_or_default();
    write_atomically(&file, (json + "\n").as_bytes())?;
    listen(BenchEvent::Written(&file));
    Ok(())
}

/// What the executable says of its device, in bytes per second.
fn bandwidth(probe: &Executable, choice: DeviceChoice) -> Result<f64, SweepError> {
    let device = choice.to_string();
    let output = probe
        .command()
        .args(["bandwidth", "--format", "json", "--device", &device])
        .output()
        .map_err(SweepError::system(format!("start {}", probe.path().display())))?;
    let reply: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
    reply.and_then(|reply| reply.get("copy_bytes_per_s")?.as_f64()).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        SweepError::Bandwidth { said }
    })
}

fn time(
    row: &Row,
    probe: &Executable,
    choice: DeviceChoice,
    copy_bytes_per_s: f64,
    listen: &mut dyn FnMut(BenchEvent<'_>),
) -> Result<(Timing, RunRecord), SweepError> {
    let failed = |why: String| SweepError::BenchRow { id: row.id.clone(), why };
    let began = Instant::now();
    let mut first_step_s = None;
    let observe = &mut |event: &events::Event| {
        if let events::Event::Step(step) = event {
            first_step_s.get_or_insert_with(|| began.elapsed().as_secs_f64());
            listen(BenchEvent::Step(row, step));
        }
    };
    match probe_process::run(probe, row, &choice.to_string(), &Limits::default(), observe)? {
        Outcome::Exited => {}
        Outcome::Crashed(Crash { why, .. }) | Outcome::Lost(why) => return Err(failed(why)),
        Outcome::Interrupted => return Err(failed("interrupted".to_owned())),
    }
    let probe_s = began.elapsed().as_secs_f64();
    let record = read(&row.dir)?;
    // The executable may be given a stand-in that this process is not.
    if record.env.virtual_card {
        return Err(SweepError::VirtualCard);
    }
    let metrics = &record.metrics;
    if let Some(why) = &metrics.runtime_exception_msg {
        return Err(failed(why.clone()));
    }
    let (ant, colony) = (&row.spec.ant, &row.spec.colony);
    // The probe has run with these sizes, so their product is known to fit.
    let kept = match row.row.tape {
        Some(TapeKind::Rows) => TAPS as u64,
        Some(TapeKind::Full) | None => ant.ring_len,
    };
    let tape_bytes = 4 * colony.batch_size * colony.synth_len * kept * ant.slot_dim;
    let floor_s = 2.0 * tape_bytes as f64 / copy_bytes_per_s;
    let phase = |phase| metrics.phase_times_s.as_ref()?.get(&phase).copied();
    let timing = Timing {
        id: row.id.clone(),
        step: row.row.step,
        tape: row.row.tape,
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
