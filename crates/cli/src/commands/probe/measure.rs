//! The measurement of a probe: from the first allocation to the metrics. Nothing that happens in
//! it keeps the results from being written.

use std::sync::Barrier;
use std::time::Duration;

use vram_artifacts::events::{Event, Step};
use vram_artifacts::metrics::{Metrics, RecordedReason, StateLoop};
use vram_artifacts::run_dir::RunDir;
use vram_artifacts::version::ARTIFACT_VERSION;
use vram_console::panics::{self, Panic};
use vram_console::terminal;
use vram_metrics::clock::StepTimes;
use vram_metrics::meter::MeterError;
use vram_metrics::phase::{Marks, Phase, PhaseMark};
use vram_metrics::verdict::{Evidence, VRAM_GUARD_RATIO};
use vram_metrics::window::{Measurement, Progress, StepReport, TrainingStep, Window};
use vram_report::units::gib;
use vram_workload::error::WorkloadError;
use vram_workload::model::state_loop::StateLoopReport;
use vram_workload::step::trainer::Trainer;

use super::debug::Debug;
use super::device::ProbeDevice;
use super::prepared::Probe;
use super::stall::Watch;

/// The shortest silence that counts as a stall (VRA-30).
const STALL_FLOOR: Duration = Duration::from_secs(60);

/// Why a run ended early.
#[derive(Debug, Clone)]
struct Failure {
    message: String,
    oom: bool,
}

impl From<WorkloadError> for Failure {
    fn from(error: WorkloadError) -> Self {
        Self { message: error.to_string(), oom: error.is_out_of_memory() }
    }
}

/// A panic in a run is a failure of the run, not of the probe.
impl From<Panic> for Failure {
    fn from(Panic { message, log, .. }: Panic) -> Self {
        Self { message: format!("panic: {message} (see {})", log.display()), oom: false }
    }
}

/// The probe's steps. A trainer that could not be made fails the first.
struct Steps<'a> {
    trainer: Result<Trainer, Failure>,
    loss: Option<f32>,
    done: u64,
    debug: &'a Debug,
    /// What is read back of a card that computes nothing are no values.
    is_virtual: bool,
}

impl TrainingStep for Steps<'_> {
    type Running = ();
    type Error = Failure;

    fn run(&mut self, mark: &mut dyn FnMut(Phase)) -> Result<(), Failure> {
        self.done += 1;
        let trainer = self.trainer.as_mut().map_err(|failure| failure.clone())?;
        self.debug.before_step(self.done, trainer)?;
        Ok(trainer.step(mark)?)
    }

    fn report(&mut self, (): ()) -> Result<StepReport, Failure> {
        let trainer = self.trainer.as_ref().map_err(Clone::clone)?;
        // Read in any case: a virtual card shows what the process does on a real one.
        let Some(outcome) = trainer.outcome()?.filter(|_| !self.is_virtual) else {
            return Ok(StepReport::default());
        };
        self.loss = Some(outcome.loss);
        Ok(StepReport { nan: outcome.nan, inf: outcome.inf, skipped: outcome.skipped })
    }
}

/// What the last step told beside its time and its memory.
#[derive(Debug, Default)]
struct Told {
    loss: Option<f32>,
    state_loop: Option<StateLoopReport>,
}

impl Steps<'_> {
    /// Read back when every step is over: none of them is timed with it.
    fn told(&self) -> Told {
        let trainer = self.trainer.as_ref().ok().filter(|_| !self.is_virtual);
        let read = trainer.map(Trainer::state_loop);
        let state_loop = read.and_then(|read| {
            read.inspect_err(|error| tracing::warn!("the state loop cannot be read: {error}")).ok()
        });
        Told { loss: self.loss, state_loop: state_loop.flatten() }
    }
}

/// Whatever goes wrong becomes part of the metrics.
#[tracing::instrument(level = "trace", skip_all)]
pub(super) fn measure(probe: &Probe<'_, impl ProbeDevice>, dir: &RunDir) -> Metrics {
    let watch = Watch::default();
    panics::caught(|| run_window(probe, &watch, dir)).unwrap_or_else(|panic| {
        let left = watch.measurement(watch.watchdog.heartbeat(), Some(panic.into()));
        metrics(probe, left, Vec::new(), Told::default())
    })
}

/// Builds the trainer and runs the window.
fn run_window(probe: &Probe<'_, impl ProbeDevice>, watch: &Watch, dir: &RunDir) -> Metrics {
    let meter = probe.device.meter();
    let mut marks = Marks::new(meter);
    marks.mark(Phase::Start);
    // Before the window, so that no step's time or peak holds it.
    let mark = &mut |phase| marks.mark(phase);
    let shape = probe.workload.shape.clone();
    let (step, seed) = (probe.workload.step, probe.args.seed);
    let trainer = Trainer::new(shape, step, seed, probe.device.device(), mark);
    let trainer = trainer.map_err(Failure::from);
    let (debug, is_virtual) = (&probe.args.debug, probe.device.facts().is_virtual);
    let mut steps = Steps { trainer, loss: None, done: 0, debug, is_virtual };
    let window = Window {
        warmup_steps: probe.args.warmup_steps,
        measure_steps: probe.args.measure_steps,
        stall_floor: STALL_FLOOR,
        stall_after: probe.args.debug.stall_after(),
    };
    let mut clock = probe.device.clock();
    // What a thread takes to start is taken before the step, every time.
    let started = Barrier::new(2);
    let measured = std::thread::scope(|scope| {
        scope.spawn(|| {
            started.wait();
            guard(probe, watch, dir);
        });
        started.wait();
        let observe = &mut |progress: &Progress| {
            watch.step(progress);
            tell(probe, progress);
            // The watchdog has heard of the step; the next has not begun.
            if let Some(measured) = progress.step.checked_sub(window.warmup_steps + 1) {
                probe.args.debug.after_measured(measured);
            }
        };
        window.run(meter, clock.as_mut(), &mut marks, &watch.watchdog, &mut steps, observe)
    });
    let phase_marks = known(marks.into_result()).unwrap_or_default();
    metrics(probe, measured, phase_marks, steps.told())
}

/// Waits for a step that does not return; writes what was measured until then, and ends the
/// process, which the step would keep for ever.
fn guard(probe: &Probe<'_, impl ProbeDevice>, watch: &Watch, dir: &RunDir) {
    let Some(silent) = watch.watchdog.wait() else { return };
    let left = watch.measurement(silent, None);
    let reply = probe.conclude(dir, &metrics(probe, left, Vec::new(), Told::default()));
    let exit = terminal::print(&reply);
    std::process::exit(i32::from(exit.code()));
}

fn tell(probe: &Probe<'_, impl ProbeDevice>, progress: &Progress) {
    let seconds = Some(progress.seconds).filter(|_| !probe.device.facts().is_virtual);
    probe.say(&Event::Step(Step { seconds, ..Step::from(progress) }));
    let peak = progress.peak_reserved_bytes.map_or("unknown".to_owned(), gib);
    let took = seconds.map_or_else(String::new, |seconds| format!("{seconds:.2} s, "));
    let Progress { step, steps, .. } = progress;
    tracing::info!("step {step} of {steps}: {took}peak reserved {peak} GiB");
}

fn metrics(
    probe: &Probe<'_, impl ProbeDevice>,
    measured: Measurement<Failure>,
    phase_marks: Vec<PhaseMark>,
    told: Told,
) -> Metrics {
    let total_bytes = probe.device.facts().total_bytes;
    let context_bytes = probe.device.context_bytes().and_then(known);
    let had_oom = measured.failure.as_ref().is_some_and(|f| f.oom);
    let colony = &probe.workload.spec.colony;
    // How long nothing takes is no step's time.
    let steps = Some(&measured.steps).filter(|_| !probe.device.facts().is_virtual);
    let samples_per_s = steps.and_then(|_| measured.samples_per_s(colony.batch_size));
    let evidence = Evidence {
        failed: measured.failure.is_some(),
        oom: had_oom,
        non_finite: measured.nan || measured.inf,
        measure_steps: probe.args.measure_steps,
        stalled: measured.heartbeat.stalled,
        peak_allocated_bytes: known(measured.peak_allocated_bytes),
        peak_reserved_bytes: known(measured.peak_reserved_bytes),
        total_bytes,
        steps: steps.cloned().unwrap_or_default(),
        untimed: steps.is_none(),
    };
    let verdict = evidence.verdict();
    Metrics {
        artifact_version: Some(ARTIFACT_VERSION.to_owned()),
        workload_id: probe.workload.spec.workload_id(),
        probe_id: probe.probe_id(),
        device: probe.device.kind().name().to_owned(),
        precision: probe.workload.spec.ant.precision.to_string(),
        amp: u8::from(probe.workload.amp),
        step: Some(probe.workload.step),
        tape: probe.workload.tape,
        out_dim: probe.workload.out_dim,
        batch_size: colony.batch_size,
        seq_len: colony.seq_len,
        synth_len: colony.synth_len,
        warmup_steps: probe.args.warmup_steps,
        measure_steps: probe.args.measure_steps,
        seed: Some(probe.args.seed),
        measure_wall_time_s: steps.and(measured.wall_time_s),
        median_step_time_s: steps.and_then(StepTimes::median),
        p95_step_time_s: steps.and_then(StepTimes::p95),
        max_step_time_s: steps.and_then(StepTimes::max),
        step_times_s: steps.map(|steps| steps.as_slice().to_vec()),
        warmup_step_times_s: steps.map(|_| measured.warmup.as_slice().to_vec()),
        phase_times_s: steps.map(|steps| steps.phase_medians().into_iter().collect()),
        step_time_mode: steps.map(|_| probe.device.step_time_mode().to_owned()),
        throughput_samples_per_s: samples_per_s,
        throughput_tokens_per_s: samples_per_s.map(|s| s * colony.seq_len as f64),
        peak_vram_reserved_bytes: evidence.peak_reserved_bytes,
        peak_vram_allocated_bytes: evidence.peak_allocated_bytes,
        pool_granule_bytes: probe.device.granule_bytes(),
        context_bytes,
        peak_card_bytes: evidence.peak_reserved_bytes.zip(context_bytes).map(|(r, c)| r + c),
        total_vram_bytes: total_bytes,
        vram_guard_ratio: VRAM_GUARD_RATIO,
        phase_marks,
        loss: told.loss,
        state_loop: told.state_loop.map(state_loop),
        skipped_steps: measured.skipped_steps,
        vram_disturbance_bytes: measured.disturbance_bytes.and_then(known),
        debug_stall_after_step: Some(probe.args.debug.debug_stall_after_step),
        debug_stall_s: Some(probe.args.debug.debug_stall_s.as_secs_f64()),
        debug_stall_threshold_s: Some(probe.args.debug.debug_stall_threshold_s.as_secs_f64()),
        had_oom,
        had_nan: measured.nan,
        had_inf: measured.inf,
        heartbeat_stall_detected: measured.heartbeat.stalled,
        heartbeat_stall_threshold_s: Some(measured.heartbeat.threshold_s),
        heartbeat_last_progress_age_s: Some(measured.heartbeat.last_progress_age_s),
        runtime_exception_msg: measured.failure.map(|f| f.message),
        stability_pass: verdict.stability_pass,
        fail_reasons: verdict.fail_reasons.into_iter().map(RecordedReason::Known).collect(),
    }
}

fn state_loop(report: StateLoopReport) -> StateLoop {
    let StateLoopReport { flip_rate, abab_rate, max_dwell, mean_dwell, entropy_bits } = report;
    StateLoop { flip_rate, abab_rate, max_dwell, mean_dwell, entropy_bits }
}

/// What the meter read. What it could not read is missing from the metrics, not zero.
fn known<T>(read: Result<T, MeterError>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!("{error}")).ok()
}

#[cfg(test)]
mod tests;
