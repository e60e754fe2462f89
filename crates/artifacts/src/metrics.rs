//! `metrics.json`: the measurement.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use vram_metrics::other_processes::DISTURBANCE_BYTES;
use vram_metrics::phase::{Phase, PhaseMark};
use vram_metrics::verdict::FailReason;
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;

/// `metrics.json`: the measurement. Times in seconds, sizes in bytes. Of a virtual card, which computes
/// nothing, every step's time is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Metrics {
    /// See [`ARTIFACT_VERSION`](crate::version::ARTIFACT_VERSION).
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
    /// The tape of the fused step; null of the plain one, and before there were two.
    #[serde(default)]
    pub tape: Option<TapeKind>,
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
    /// Every measured step; null on a virtual card alone.
    #[serde(default = "no_times")]
    pub step_times_s: Option<Vec<f64>>,
    /// Every warm-up step; null on a virtual card alone.
    #[serde(default = "no_times")]
    pub warmup_step_times_s: Option<Vec<f64>>,
    /// Median of what the measured steps took to each phase from the one before it, or from their
    /// beginning; null on a virtual card alone.
    #[serde(default = "no_times")]
    pub phase_times_s: Option<BTreeMap<Phase, f64>>,
    /// How steps are timed; null where they are not.
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
    /// Loss of the last step; null on a virtual card.
    #[serde(default)]
    pub loss: Option<f32>,
    /// The state loop of the last step; null where no sample is watched, and on a virtual card.
    #[serde(default)]
    pub state_loop: Option<StateLoop>,
    /// Steps whose update the loss scale left out.
    #[serde(default)]
    pub skipped_steps: u64,
    /// How far what others hold on the card moved while steps were measured; null on the CPU, whose
    /// allocator is no other process's.
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
    pub fail_reasons: Vec<RecordedReason>,
}

/// What a key stands for that is missing: a null would say that the card is virtual.
fn no_times<T: Default>() -> Option<T> {
    Some(T::default())
}

impl Metrics {
    /// Whether steps have no times because the card computes nothing.
    pub fn untimed(&self) -> bool {
        self.step_times_s.is_none()
            || self.warmup_step_times_s.is_none()
            || self.phase_times_s.is_none()
    }

    /// The step that was taken: fused, where the run is of a time when there was no other. (The
    /// original harness's, which is neither, is told by its lack of an `artifact_version`.)
    pub fn step(&self) -> StepKind {
        self.step.unwrap_or_default()
    }

    /// The tape of the step that was taken: full, where the run is of a time when there was no other;
    /// none of the plain step.
    pub fn tape(&self) -> Option<TapeKind> {
        self.step().tape(self.tape)
    }

    /// The verdict.
    pub fn status(&self) -> Status {
        if self.stability_pass { Status::Pass } else { Status::Fail }
    }

    /// Every reason why not, for reading; empty where there is none.
    pub fn reasons(&self) -> String {
        let reasons: Vec<String> = self.fail_reasons.iter().map(ToString::to_string).collect();
        reasons.join(", ")
    }

    /// How far others' memory on the card moved in the window, in bytes, where that is more than the
    /// driver's own bookkeeping.
    pub fn disturbance(&self) -> Option<u64> {
        self.vram_disturbance_bytes.filter(|moved| *moved > DISTURBANCE_BYTES)
    }
}

/// The verdict of VRA-30, as the summary spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Status {
    /// Stable.
    Pass,
    /// Not stable.
    Fail,
}

/// Why a run is not stable, as its artifacts say it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecordedReason {
    /// A reason of VRA-30.
    Known(FailReason),
    /// One that this version does not know.
    Other(String),
}

impl fmt::Display for RecordedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(reason) => reason.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// The state loop of a step, where samples are watched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StateLoop {
    /// Changes of mode per sample and token.
    pub flip_rate: f64,
    /// Changes back to the mode of two tokens before, per sample and token.
    pub abab_rate: f64,
    /// Longest stay in one mode, in tokens.
    pub max_dwell: u32,
    /// Tokens that a sample has been in its last mode, on average.
    pub mean_dwell: f64,
    /// Entropy of the modes over samples and tokens, in bits: 0 to 3.
    pub entropy_bits: f64,
}
