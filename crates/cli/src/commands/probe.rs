//! `vram probe`: one measured run.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use candle_core::Device;
use clap::ValueEnum;
use miette::IntoDiagnostic;
use vram_metrics::{
    DeviceFacts, Evidence, HostMeter, Marks, Measurement, StepReport, VRAM_GUARD_RATIO, WallClock, Window,
};
use vram_presets::WorkloadSpec;
use vram_workload::{Shape, Trainer, WorkloadError};

use super::Reply;
use crate::args::{Overrides, at_least_0, at_least_1};
use crate::artifacts::{ARTIFACT_VERSION, Metrics, RunCmd, RunDir, summary};
use crate::events::{Event, Finished, Started, Status, Step};
use crate::{Exit, machine};

/// `vram probe`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Writes run_cmd.txt and env.json before any compute, then metrics.json, metrics.csv and
summary.md, PASS or FAIL. Contracts: VRA-30 (verdict), VRA-31 (ids), VRA-32 (artifacts).

Examples:
  vram probe --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16 --output-dir runs/DP1
  vram probe --ant '{\"ring_len\":512,\"slot_dim\":64,\"ptr_dtype\":\"fp64\",\"precision\":\"fp32\"}' \\
    --colony smoke_brief --output-dir runs/mine")]
pub struct Args {
    /// The model's side: preset, file or inline JSON
    #[arg(long)]
    ant: String,
    /// The data's side: preset, file or inline JSON
    #[arg(long)]
    colony: String,
    #[command(flatten)]
    overrides: Overrides,
    /// Whether matrix products run in half precision [default: 1 for fp16 and bf16, else 0]
    #[arg(long, value_name = "0|1", value_parser = flag)]
    amp: Option<bool>,
    /// Readout heads
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_1, allow_negative_numbers = true)]
    out_dim: u64,
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
    #[arg(long, default_value = "auto", value_parser = device)]
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeviceChoice {
    Auto,
    Cpu,
    Cuda,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EventFormat {
    Json,
}

fn flag(text: &str) -> Result<bool, &'static str> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("expected 0 or 1"),
    }
}

fn device(text: &str) -> Result<DeviceChoice, &'static str> {
    let cuda = text.strip_prefix("cuda").map(|rest| rest.strip_prefix(':').unwrap_or(rest));
    match (text, cuda) {
        ("auto", _) => Ok(DeviceChoice::Auto),
        ("cpu", _) => Ok(DeviceChoice::Cpu),
        (_, Some(index)) if text == "cuda" || index.parse::<u32>().is_ok() => Ok(DeviceChoice::Cuda),
        _ => Err("expected auto, cpu, cuda or cuda:N"),
    }
}

/// A probe that is about to run: everything that can be refused has been.
struct Probe<'a> {
    args: &'a Args,
    spec: WorkloadSpec,
    amp: bool,
    shape: Shape,
    meter: HostMeter,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    match args.device {
        DeviceChoice::Auto => tracing::info!("running on the CPU: this build has no CUDA probe"),
        DeviceChoice::Cpu => {}
        DeviceChoice::Cuda => {
            miette::bail!(help = "use --device cpu", "--device cuda: this build has no CUDA probe")
        }
    }
    let library = super::library()?;
    let spec = WorkloadSpec::new(library.ant(&args.ant)?.spec, library.colony(&args.colony)?.spec);
    let spec = args.overrides.apply(spec)?;
    let amp = args.amp.unwrap_or(spec.ant.precision.default_amp());
    // The shape bounds every size of the step; the published term is a size of its own.
    let shape = Shape::new(&spec, args.out_dim, amp).into_diagnostic()?;
    spec.ring_buf_bytes()?;
    let probe = Probe {
        args,
        amp,
        shape,
        meter: HostMeter::new().into_diagnostic()?,
        spec,
    };
    probe.run()
}

impl Probe<'_> {
    fn run(&self) -> miette::Result<Reply> {
        let facts = DeviceFacts::host();
        let total_bytes = facts.total_bytes;
        let dir = RunDir::create(&self.args.output_dir)?;
        let precision = self.spec.ant.precision.to_string();
        dir.write_start(&self.run_cmd(), &machine::env(facts, Some((precision, self.amp))))?;

        self.say(&Event::Started(Started {
            probe_id: self.probe_id(),
            workload_id: self.spec.workload_id(),
            steps_total: self.args.warmup_steps.saturating_add(self.args.measure_steps),
        }));
        let metrics = self.measure(total_bytes);
        let written = dir.write_results(&metrics);
        self.say(&Event::Finished(Finished {
            status: if metrics.stability_pass { Status::Pass } else { Status::Fail },
            fail_reasons: metrics.fail_reasons.clone(),
            peak_allocated_bytes: metrics.peak_vram_allocated_bytes,
            peak_reserved_bytes: metrics.peak_vram_reserved_bytes,
        }));
        let text = match self.args.events {
            Some(EventFormat::Json) => String::new(),
            None => summary(&metrics),
        };
        if let Err(error) = written {
            tracing::error!("{:?}", miette::Report::new(error));
            return Ok(Reply { text, exit: Exit::Failed });
        }
        Ok(Reply::done(text))
    }

    fn probe_id(&self) -> String {
        self.spec.probe_id(self.args.out_dim, self.amp)
    }

    fn run_cmd(&self) -> RunCmd {
        let lossy = |a: std::ffi::OsString| a.to_string_lossy().into_owned();
        RunCmd {
            artifact_version: Some(ARTIFACT_VERSION.to_owned()),
            argv: std::env::args_os().map(lossy).collect(),
            resolved_spec: self.spec.to_json(),
            canonical_spec: self.spec.to_json(),
            workload_id: self.spec.workload_id(),
            probe_id: self.probe_id(),
            row_id: self.args.row_id.clone(),
            notes: vec![
                "seq_len is accounting: tokens/s uses it".to_owned(),
                "synth_len is the number of tokens that a step computes".to_owned(),
                "out_dim is no part of workload_schema_v1: compare by probe_id".to_owned(),
            ],
        }
    }

    /// Runs the window. Whatever happens in it becomes part of the metrics.
    fn measure(&self, total_bytes: Option<u64>) -> Metrics {
        let mut marks = Marks::new(&self.meter);
        let mut loss = None;
        let window = Window {
            warmup_steps: self.args.warmup_steps,
            measure_steps: self.args.measure_steps,
            stall_floor: STALL_FLOOR,
        };
        let mut trainer = None;
        let measured = window.run(
            &self.meter,
            &mut WallClock::default(),
            &mut marks,
            &mut |marks| {
                let trainer = match &mut trainer {
                    Some(trainer) => trainer,
                    // In the first step, so that a model that does not fit is a failed step.
                    none => none.insert(self.trainer(marks)?),
                };
                let outcome = trainer.step(&mut |phase| marks.mark(phase))?;
                loss = Some(outcome.loss);
                Ok(StepReport {
                    nan: outcome.nan,
                    inf: outcome.inf,
                    skipped: outcome.skipped,
                })
            },
            &mut |progress| self.say(&Event::Step(Step::from(progress))),
        );
        self.metrics(measured, marks, loss, total_bytes)
    }

    fn trainer(&self, marks: &mut Marks<'_>) -> Result<Trainer, WorkloadError> {
        let shape = self.shape.clone();
        Trainer::new(shape, self.args.seed, &Device::Cpu, &mut |phase| marks.mark(phase))
    }

    fn metrics(
        &self,
        measured: Measurement<WorkloadError>,
        marks: Marks<'_>,
        loss: Option<f32>,
        total_bytes: Option<u64>,
    ) -> Metrics {
        let had_oom = matches!(measured.failure, Some(WorkloadError::OutOfMemory { .. }));
        let colony = &self.spec.colony;
        let samples_per_s = measured.samples_per_s(colony.batch_size);
        let evidence = Evidence {
            failed: measured.failure.is_some(),
            oom: had_oom,
            non_finite: measured.nan || measured.inf,
            measure_steps: self.args.measure_steps,
            stalled: measured.heartbeat.stalled,
            peak_allocated_bytes: measured.peak_allocated_bytes.as_ref().ok().copied(),
            peak_reserved_bytes: measured.peak_reserved_bytes.as_ref().ok().copied(),
            total_bytes,
            steps: measured.steps.clone(),
        };
        let verdict = evidence.verdict();
        Metrics {
            artifact_version: Some(ARTIFACT_VERSION.to_owned()),
            workload_id: self.spec.workload_id(),
            probe_id: self.probe_id(),
            device: "cpu".to_owned(),
            precision: self.spec.ant.precision.to_string(),
            amp: u8::from(self.amp),
            out_dim: self.args.out_dim,
            batch_size: colony.batch_size,
            seq_len: colony.seq_len,
            synth_len: colony.synth_len,
            warmup_steps: self.args.warmup_steps,
            measure_steps: self.args.measure_steps,
            seed: Some(self.args.seed),
            measure_wall_time_s: measured.wall_time_s,
            median_step_time_s: measured.steps.median(),
            p95_step_time_s: measured.steps.p95(),
            max_step_time_s: measured.steps.max(),
            step_times_s: measured.steps.as_slice().to_vec(),
            warmup_step_times_s: measured.warmup.as_slice().to_vec(),
            step_time_mode: Some("wall_clock".to_owned()),
            throughput_samples_per_s: samples_per_s,
            throughput_tokens_per_s: samples_per_s.map(|s| s * colony.seq_len as f64),
            peak_vram_reserved_bytes: evidence.peak_reserved_bytes,
            peak_vram_allocated_bytes: evidence.peak_allocated_bytes,
            total_vram_bytes: total_bytes,
            vram_guard_ratio: VRAM_GUARD_RATIO,
            phase_marks: marks.into_result().unwrap_or_default(),
            loss,
            skipped_steps: measured.skipped_steps,
            had_oom,
            had_nan: measured.nan,
            had_inf: measured.inf,
            heartbeat_stall_detected: measured.heartbeat.stalled,
            heartbeat_stall_threshold_s: Some(measured.heartbeat.threshold_s),
            heartbeat_last_progress_age_s: Some(measured.heartbeat.last_progress_age_s),
            runtime_exception_msg: measured.failure.map(|e| e.to_string()),
            stability_pass: verdict.stability_pass,
            fail_reasons: verdict.fail_reasons.iter().map(ToString::to_string).collect(),
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

/// The shortest silence that counts as a stall (VRA-30).
const STALL_FLOOR: Duration = Duration::from_secs(60);
