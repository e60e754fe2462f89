//! How long `vram fit` and `vram report` take on thousands of runs: `cargo bench -p vram-cli`.
//!
//! The runs are made up of one that was measured, in other sizes and with peaks that follow the
//! pooled model but for some noise. They are written to a temporary directory and read from there.
#![expect(clippy::print_stdout, reason = "a benchmark speaks to a person")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use vram_presets::library::workload_from_text;
use vram_source::text::Syntax;

const METRICS: &str =
    include_str!("../../../docs/results/h200/vra34/DP1_smallxreal_B16/metrics.json");
const RUN_CMD: &str =
    include_str!("../../../docs/results/h200/vra34/DP1_smallxreal_B16/run_cmd.txt");
const ENV: &str = include_str!("../../../docs/results/h200/vra34/DP1_smallxreal_B16/env.json");

/// Tokens a sample, so that the terms of a tier are not proportional.
const SYNTH_LENS: [u64; 5] = [64, 96, 128, 192, 256];

fn main() -> Result<(), Box<dyn Error>> {
    println!("| runs | tiers | `fit` s | `fit --terms ring,state,token` s | `report` s |");
    println!("|--:|--:|--:|--:|--:|");
    for (runs, tiers) in [(5_000, 5), (1_500, 300)] {
        let dir = tempfile::tempdir()?;
        for i in 0..runs {
            write_run(&dir.path().join(format!("run{i:04}")), i, tiers)?;
        }
        let out = tempfile::tempdir()?;
        let out = out.path().to_str().ok_or("a path that is no text")?;
        let pooled = seconds(dir.path(), "fit", &["--terms", "ring,state,token"])?;
        let per_tier = seconds(dir.path(), "fit", &[])?;
        let report = seconds(dir.path(), "report", &["--out-dir", out])?;
        println!("| {runs} | {tiers} | {per_tier:.2} | {pooled:.2} | {report:.2} |");
    }
    Ok(())
}

/// The shortest of three.
fn seconds(dir: &Path, command: &str, options: &[&str]) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let mut vram = Command::new(env!("CARGO_BIN_EXE_vram"));
        vram.arg(command).args(options).arg(dir).stdout(Stdio::null());
        let begin = Instant::now();
        if !vram.status()?.success() {
            return Err(format!("vram {command} failed").into());
        }
        best = best.min(begin.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn write_run(dir: &Path, i: u64, tiers: u64) -> Result<(), Box<dyn Error>> {
    let (tier, turn) = (i % tiers, i / tiers);
    let (ring_len, slot_dim, batch) = (1024 + 16 * tier, 64 + tier % 7, 1 + turn);
    let synth_len = SYNTH_LENS[(turn % 5) as usize];
    let state = 4 * batch * ring_len * slot_dim;
    let noise = i * 7_919 % 1_000_003;
    let token = 4 * batch * synth_len * slot_dim;
    let allocated =
        state * synth_len + state + 9 * token + 20_000_000 + ring_len * slot_dim + noise;

    let mut run_cmd: Value = serde_json::from_str(RUN_CMD)?;
    for spec in ["resolved_spec", "canonical_spec"] {
        run_cmd[spec]["ant_spec"]["ring_len"] = json!(ring_len);
        run_cmd[spec]["ant_spec"]["slot_dim"] = json!(slot_dim);
        run_cmd[spec]["colony_spec"]["batch_size"] = json!(batch);
        run_cmd[spec]["colony_spec"]["synth_len"] = json!(synth_len);
    }
    let spec = workload_from_text(&run_cmd["resolved_spec"].to_string(), Syntax::Json)?;
    let (workload_id, probe_id) = (spec.workload_id(), spec.probe_id(1, true));
    run_cmd["row_id"] = json!(format!("R{i}"));
    // Without the sizes of the run that it is made of.
    run_cmd["argv"] = json!(["vram", "probe", "--ant", "made-up", "--colony", "made-up"]);
    let mut metrics: Value = serde_json::from_str(METRICS)?;
    for artifact in [&mut run_cmd, &mut metrics] {
        artifact["workload_id"] = json!(workload_id);
        artifact["probe_id"] = json!(probe_id);
    }
    metrics["batch_size"] = json!(batch);
    metrics["synth_len"] = json!(synth_len);
    metrics["peak_vram_allocated_bytes"] = json!(allocated);
    metrics["peak_vram_reserved_bytes"] = json!(allocated.next_multiple_of(32 << 20));
    fs::create_dir(dir)?;
    fs::write(dir.join("run_cmd.txt"), format!("{run_cmd:#}\n"))?;
    fs::write(dir.join("metrics.json"), format!("{metrics:#}\n"))?;
    fs::write(dir.join("env.json"), ENV)?;
    Ok(())
}
