//! What `vram probe` is asked for.

use std::path::PathBuf;

use clap::ValueEnum;
use vram_console::device_flag::DeviceFlag;
use vram_presets::sweep::{MEASURE_STEPS, WARMUP_STEPS};

use super::debug::Debug;
use crate::flags::{WorkloadFlags, at_least_0, at_least_1};

/// `vram probe`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Writes run_cmd.txt and env.json before any compute, then metrics.json, metrics.csv and
summary.md, PASS or FAIL. Contracts: VRA-30 (verdict), VRA-31 (ids), VRA-32 (artifacts).

Examples:
  vram probe --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16 --output-dir runs/DP1
  vram probe --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16 --tape rows \\
    --output-dir runs/DP1_rows
  vram probe --ant '{\"ring_len\":512,\"slot_dim\":64,\"ptr_dtype\":\"fp64\",\"precision\":\"fp32\"}' \\
    --colony smoke_brief --output-dir runs/mine"
)]
pub struct Args {
    #[command(flatten)]
    pub(super) workload: WorkloadFlags,
    /// Steps before the peaks are reset
    #[arg(long, value_name = "N", default_value_t = WARMUP_STEPS, value_parser = at_least_0, allow_negative_numbers = true)]
    pub(super) warmup_steps: u64,
    /// Steps that are measured
    #[arg(long, value_name = "N", default_value_t = MEASURE_STEPS, value_parser = at_least_1, allow_negative_numbers = true)]
    pub(super) measure_steps: u64,
    /// Seed of parameters, inputs and pointers
    #[arg(long, value_name = "N", default_value = "0")]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) device: DeviceFlag,
    /// Directory for the artifacts; it must not hold a run
    #[arg(long, value_name = "DIR")]
    pub(super) output_dir: PathBuf,
    /// Print progress on stdout as JSON lines instead of the summary
    #[arg(long, value_enum)]
    pub(super) events: Option<EventFormat>,
    /// Name of the datapoint in its sweep, recorded in run_cmd.txt
    #[arg(long, value_name = "ID")]
    pub(super) row_id: Option<String>,
    // Last: what comes after it would be under its heading.
    #[command(flatten)]
    pub(super) debug: Debug,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EventFormat {
    Json,
}
