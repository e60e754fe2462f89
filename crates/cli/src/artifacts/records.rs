use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vram_metrics::{DISTURBANCE_BYTES, Phase, PhaseMark};
use vram_presets::StepKind;
use vram_workload::StateLoopReport;

/// Version of the keys that this project adds. Absent in the original harness's artifacts.
pub const ARTIFACT_VERSION: &str = "vram_artifacts_v1";

/// `run_cmd.txt`: what was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunCmd {
    /// See [`ARTIFACT_VERSION`].
    pub artifact_version: Option<String>,
    /// The probe's arguments, its own name first.
    pub argv: Vec<String>,
    /// The workload after overrides.
    pub resolved_spec: serde_json::Value,
    /// The workload whose JSON the id hashes.
    pub canonical_spec: serde_json::Value,
    /// Identity of the workload.
    pub workload_id: String,
    /// Identity of the probe.
    pub probe_id: String,
    /// Name of the datapoint in its sweep.
    #[serde(default)]
    pub row_id: Option<String>,
    /// What a reader should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// `env.json`: the machine. A fact that cannot be had is null, with a line in `errors`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Env {
    /// See [`ARTIFACT_VERSION`].
    pub artifact_version: Option<String>,
    /// When this was written, UTC.
    pub generated_utc: Option<String>,
    /// `vram` and its version.
    pub tool_version: Option<String>,
    /// The GPU's name.
    pub gpu_name: Option<String>,
    /// The processor's name.
    #[serde(default)]
    pub cpu_name: Option<String>,
    /// Threads of the host.
    #[serde(default)]
    pub cpu_threads: Option<u64>,
    /// The device's memory in bytes.
    pub total_vram_bytes: Option<u64>,
    /// Bytes of it that were free, or could be freed, before the run.
    #[serde(default)]
    pub available_vram_bytes: Option<u64>,
    /// What the process holds on the card outside its memory pool before the run: this much less
    /// of the total is left for what the pool reserves.
    #[serde(default)]
    pub context_bytes: Option<u64>,
    /// The driver's version.
    pub driver_version: Option<String>,
    /// The newest CUDA version that the driver supports.
    pub cuda_version: Option<String>,
    /// The card's compute capability.
    #[serde(default)]
    pub compute_capability: Option<String>,
    /// `WDDM` or `TCC` on Windows, `N/A` elsewhere.
    #[serde(default)]
    pub driver_model: Option<String>,
    /// The card's identity.
    #[serde(default)]
    pub gpu_uuid: Option<String>,
    /// Always null: there is no torch here.
    pub torch_version: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// Precision of the run; null where there is no run.
    pub precision: Option<String>,
    /// Whether the run is under amp; null where there is no run.
    pub amp: Option<u8>,
    /// Commit of the working directory's repository.
    pub git_commit: Option<String>,
    /// Whether that repository has changes.
    pub git_dirty: Option<bool>,
    /// Environment variables that change a measurement.
    #[serde(default)]
    pub env_vars: BTreeMap<String, Option<String>>,
    /// One line per fact that is null.
    #[serde(default)]
    pub errors: Vec<String>,
}

/// `metrics.json`: the measurement. Times in seconds, sizes in bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Metrics {
    /// See [`ARTIFACT_VERSION`].
    pub artifact_version: Option<String>,
    /// Identity of the workload.
    pub workload_id: String,
    /// Identity of the probe.
    pub probe_id: String,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Precision of the step.
    pub precision: String,
    /// Whether the step runs under amp.
    pub amp: u8,
    /// Which step of the model was taken; null before there were two.
    #[serde(default)]
    pub step: Option<StepKind>,
    /// Readout heads.
    pub out_dim: u64,
    /// Samples per step.
    pub batch_size: u64,
    /// Tokens per sample that throughput counts.
    pub seq_len: u64,
    /// Tokens per sample that the step computes.
    pub synth_len: u64,
    /// Steps before the measurement window.
    pub warmup_steps: u64,
    /// Steps in the measurement window.
    pub measure_steps: u64,
    /// Seed of parameters and inputs.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Seconds of the measurement window.
    pub measure_wall_time_s: Option<f64>,
    /// `sorted[n / 2]` of the measured steps.
    pub median_step_time_s: Option<f64>,
    /// `sorted[floor(0.95 * (n - 1))]` of the measured steps.
    pub p95_step_time_s: Option<f64>,
    /// The longest measured step.
    #[serde(default)]
    pub max_step_time_s: Option<f64>,
    /// Every measured step.
    #[serde(default)]
    pub step_times_s: Vec<f64>,
    /// Every warm-up step.
    #[serde(default)]
    pub warmup_step_times_s: Vec<f64>,
    /// Median of what the measured steps took to each phase from the one before it, or from their
    /// beginning.
    #[serde(default)]
    pub phase_times_s: BTreeMap<Phase, f64>,
    /// How steps are timed.
    #[serde(default)]
    pub step_time_mode: Option<String>,
    /// `measure_steps * batch_size / measure_wall_time_s`.
    pub throughput_samples_per_s: Option<f64>,
    /// That times `seq_len`.
    pub throughput_tokens_per_s: Option<f64>,
    /// Peak reserved of the measurement window.
    pub peak_vram_reserved_bytes: Option<u64>,
    /// Peak allocated of the measurement window.
    pub peak_vram_allocated_bytes: Option<u64>,
    /// What the card's memory pool reserves in multiples of, measured; null on the CPU.
    #[serde(default)]
    pub pool_granule_bytes: Option<u64>,
    /// What the process held on the card outside its memory pool; null on the CPU.
    #[serde(default)]
    pub context_bytes: Option<u64>,
    /// Peak reserved and the context together: what hits the card's ceiling. Null on the CPU.
    #[serde(default)]
    pub peak_card_bytes: Option<u64>,
    /// The device's memory, which the guard is held against.
    #[serde(default)]
    pub total_vram_bytes: Option<u64>,
    /// Part of the total that peak reserved may reach.
    pub vram_guard_ratio: f64,
    /// Allocated and reserved at each phase of the last step.
    #[serde(default)]
    pub phase_marks: Vec<PhaseMark>,
    /// Loss of the last step.
    #[serde(default)]
    pub loss: Option<f32>,
    /// The state loop of the last step; null where no sample is watched.
    #[serde(default)]
    pub state_loop: Option<StateLoopReport>,
    /// Steps whose update the loss scale left out.
    #[serde(default)]
    pub skipped_steps: u64,
    /// How far what others hold on the card moved while steps were measured; null on the CPU, whose
    /// allocator has no neighbours.
    #[serde(default)]
    pub vram_disturbance_bytes: Option<u64>,
    /// The measured step, from 0, after which the run slept on purpose; -1 is none.
    #[serde(default)]
    pub debug_stall_after_step: Option<i64>,
    /// How long it slept there.
    #[serde(default)]
    pub debug_stall_s: Option<f64>,
    /// The stall threshold that was asked for; 0 is the usual rule.
    #[serde(default)]
    pub debug_stall_threshold_s: Option<f64>,
    /// Memory ran out.
    pub had_oom: bool,
    /// A loss or gradient was NaN.
    pub had_nan: bool,
    /// A loss or gradient was infinite.
    pub had_inf: bool,
    /// No step finished for too long.
    #[serde(default)]
    pub heartbeat_stall_detected: bool,
    /// How long is too long.
    #[serde(default)]
    pub heartbeat_stall_threshold_s: Option<f64>,
    /// Silence before the end.
    #[serde(default)]
    pub heartbeat_last_progress_age_s: Option<f64>,
    /// What the failing step said.
    #[serde(default)]
    pub runtime_exception_msg: Option<String>,
    /// PASS.
    pub stability_pass: bool,
    /// Why not.
    pub fail_reasons: Vec<String>,
}

impl Metrics {
    /// The step that was taken: fused, where the run is of a time when there was no other. (The
    /// original harness's, which is neither, is told by its lack of an `artifact_version`.)
    pub fn step(&self) -> StepKind {
        self.step.unwrap_or_default()
    }

    /// `PASS` or `FAIL`.
    pub fn status(&self) -> &'static str {
        if self.stability_pass { "PASS" } else { "FAIL" }
    }

    /// How far others' memory on the card moved in the window, in bytes, where that is more than the
    /// driver's own bookkeeping.
    pub fn disturbance(&self) -> Option<u64> {
        self.vram_disturbance_bytes.filter(|moved| *moved > DISTURBANCE_BYTES)
    }
}
