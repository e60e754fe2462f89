//! `predict` and `explain` of a step that has no ledger: by a dry run of the executable beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use vram_artifacts::run_record::{RunRecord, read};

use crate::machine::{VRAM, has};

/// DP5 of VRA-34, plain.
const DP5: [&str; 10] = [
    "--ant",
    "od1_canon_real",
    "--colony",
    "od1_canon_small",
    "--precision",
    "fp16",
    "--batch",
    "4",
    "--step",
    "plain",
];

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results/h100/steps")
}

/// What an H100 left of it.
fn recorded() -> RunRecord {
    read(&results().join("DP5_plain_realxsmall_B4")).unwrap()
}

fn vram(command: &str, more: &[&str]) -> String {
    let output = Command::new(VRAM).arg(command).args(DP5).args(more).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

const SOURCE: &str =
    "the plain step has no ledger yet: dry run of 2 + 3 steps on a virtual NVIDIA H100 80GB HBM3";

#[test]
fn a_plain_step_is_predicted_by_a_dry_run() {
    let found: Value = serde_json::from_str(&vram("predict", &["--format", "json"])).unwrap();
    let metrics = recorded().metrics;
    assert_eq!(found["allocated_bytes"].as_u64(), metrics.peak_vram_allocated_bytes);
    let bounds = found["reserved_bounds"].as_array().unwrap();
    let within = bounds[0].as_u64().unwrap()..=bounds[1].as_u64().unwrap();
    assert_eq!(within.end() - within.start(), 32 << 20);
    assert!(within.contains(&metrics.peak_vram_reserved_bytes.unwrap()), "{found:#}");
    assert_eq!((&found["step"], &found["context_assumed"]), (&"plain".into(), &true.into()));
    has(found["source"].as_str().unwrap(), &[SOURCE]);

    // A calibration that has it answers as before.
    let calibration = results().join("calibration.toml").display().to_string();
    let text = vram("predict", &["--calibration", &calibration]);
    has(&text, &["constants of tier real plain"]);
}

#[test]
fn a_plain_step_is_explained_by_a_dry_run() {
    let found: Value = serde_json::from_str(&vram("explain", &["--format", "json"])).unwrap();
    let metrics = recorded().metrics;
    assert_eq!(found["peak_allocated_bytes"].as_u64(), metrics.peak_vram_allocated_bytes);
    assert_eq!(metrics.phase_marks.len(), 6);
    for mark in &metrics.phase_marks {
        assert_eq!(found["phases"][mark.phase.name()], mark.allocated_bytes, "{}", mark.phase);
    }
    let text = vram("explain", &[]);
    let peak = metrics.peak_vram_allocated_bytes.unwrap();
    has(&text, &[SOURCE, "backward_peak", &format!("peak allocated: {peak} bytes")]);
}
