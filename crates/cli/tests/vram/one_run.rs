//! What a user's first own run comes to, as README.md has it, and files that are not written over.

use std::fs;

use crate::support::{ANT, COLONY, Sandbox};
use serde_json::Value;

/// A run of one measured step: beside itself it cannot be slow, however busy the machine is.
fn measured(sandbox: &Sandbox, args: &[&str]) {
    let ran = sandbox.probe(&[&["--measure-steps", "1"], args].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// One run has no line to be fitted to: beside its measurement stands what the step's ledger says.
#[test]
fn a_single_run_is_shown_beside_its_ledger() {
    let sandbox = Sandbox::new();
    let out = ["--row-id", "mine", "--output-dir", "runs/mine"];
    measured(&sandbox, &out);
    let explain = ["explain", "--ant", ANT, "--colony", COLONY, "--device", "cpu"];
    let explained = sandbox.vram(&[&explain[..], &["--format", "json"]].concat()).stdout;
    let explained: Value = serde_json::from_str(&explained).unwrap();
    let ledger = explained["peak_allocated_bytes"].as_u64().unwrap();
    let measured = sandbox.json("runs/mine/metrics.json");
    let measured = measured["peak_vram_reserved_bytes"].as_u64().unwrap();

    for terms in ["ring", "ring,state,token"] {
        let fit = |format: &str| {
            let ran = sandbox.vram(&["fit", "runs/mine", "--terms", terms, "--format", format]);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            ran.stdout
        };
        let csv = fit("csv");
        let cells: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
        assert_eq!(cells[6..8], [ledger.to_string(), measured.to_string()], "{csv}");
        let error: f64 = cells[9].parse().unwrap();
        let off = 100.0 * (ledger as f64 - measured as f64) / measured as f64;
        assert!((error - off).abs() < 1e-9, "{csv}");
        assert!(csv.contains("predicted by the step's ledger, not by a fit"), "{csv}");
        assert!(fit("table").contains("predicted by the step's ledger"));
        let json: Value = serde_json::from_str(&fit("json")).unwrap();
        assert_eq!(json["rows"][0]["ledger_reserved_bytes"], ledger);
    }
    assert_eq!(sandbox.vram(&["report", "runs/mine"]).code, Some(0));
    let report = sandbox.read("runs/mine/report.md");
    assert_eq!(report.matches("predicted by the step's ledger, not by a fit").count(), 2);
}

/// Heads are a spot check, which no fit predicts without their tier.
#[test]
fn a_single_spot_check_is_shown_beside_its_ledger() {
    let sandbox = Sandbox::new();
    let out = ["--out-dim", "4", "--output-dir", "runs/mine"];
    measured(&sandbox, &out);
    let ran = sandbox.vram(&["fit", "runs/mine", "--format", "csv"]);
    assert!(ran.stdout.contains("predicted by the step's ledger"), "{}", ran.stdout);
}

#[test]
fn a_fit_writes_over_nothing_but_a_calibration() {
    let sandbox = Sandbox::new();
    for (batch, out) in [("2", "runs/a"), ("4", "runs/b")] {
        measured(&sandbox, &["--batch", batch, "--output-dir", out]);
    }
    sandbox.write("thesis.toml", "title = 'mine'\n");
    fs::create_dir(sandbox.path("folder")).unwrap();
    for file in ["thesis.toml", "folder", "runs/a/metrics.json"] {
        let before = sandbox.contents();
        let ran = sandbox.vram(&["fit", "runs", "--out", file]);
        assert_eq!(ran.code, Some(2), "{file}: {}", ran.stderr);
        let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("is there and is no calibration"), "{said}");
        assert!(before == sandbox.contents(), "{file} was touched");
    }
    // A new file, and the same again.
    for _ in 0..2 {
        let ran = sandbox.vram(&["fit", "runs", "--out", "mine.toml"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(sandbox.read("mine.toml").starts_with("format = \"vram_calibration_v1\""));
    }
    // One that no reader takes any more is made again.
    let mine = sandbox.read("mine.toml");
    sandbox.write("old.toml", &mine.replacen("overhead_bytes = ", "overhead_bytes = -1", 1));
    assert_eq!(sandbox.vram(&["presets", "check", "old.toml"]).code, Some(2));
    assert_eq!(sandbox.vram(&["fit", "runs", "--out", "old.toml"]).code, Some(0));
    assert!(sandbox.read("old.toml") == mine);
}

/// The same holds for the calibration of a report, and one that the runs do not bear stays no
/// silent part of it.
#[test]
fn a_report_writes_over_nothing_but_a_calibration() {
    let sandbox = Sandbox::new();
    measured(&sandbox, &["--output-dir", "runs/a"]);
    sandbox.write("runs/calibration.toml", "title = 'mine'\n");
    let before = sandbox.contents();
    let ran = sandbox.vram(&["report", "runs"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("is no calibration"), "{}", ran.stderr);
    assert!(before == sandbox.contents());
    let earlier = include_str!("../../../../presets/calibrations/h200.toml");
    sandbox.write("runs/calibration.toml", earlier);
    let ran = sandbox.vram(&["report", "runs"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("is from earlier and stays as it is"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("calibration.toml"));
    assert_eq!(sandbox.read("runs/calibration.toml"), earlier);
}

#[test]
fn a_drawing_is_an_svg_file() {
    let sandbox = Sandbox::new();
    let explain =
        |file: &str| sandbox.vram(&["explain", "--ant", ANT, "--colony", COLONY, "--svg", file]);
    for file in ["x.png", "x", "svg", ".svg"] {
        let ran = explain(file);
        assert_eq!(ran.code, Some(2), "{file}");
        assert!(ran.stderr.contains("expected a file name that ends in .svg"), "{}", ran.stderr);
    }
    assert!(sandbox.contents().is_empty());
    assert_eq!(explain("x.svg").code, Some(0));
    assert!(sandbox.read("x.svg").starts_with("<svg"));
}
