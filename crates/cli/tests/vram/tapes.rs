//! The two tapes of the fused step, from the probe to the report.

use serde_json::{Value, json};

use crate::support::{ANT, COLONY, Sandbox};

/// Runs with each tape and two batches each. One step is measured: beside itself it cannot be slow,
/// however busy the machine is.
fn measured() -> Sandbox {
    let sandbox = Sandbox::new();
    for tape in ["full", "rows"] {
        for batch in ["2", "4"] {
            let dir = format!("runs/{tape}{batch}");
            let tape = ["--tape", tape, "--measure-steps", "1"];
            let ran =
                sandbox.probe(&[&tape[..], &["--batch", batch, "--output-dir", &dir]].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        }
    }
    sandbox
}

fn peak(sandbox: &Sandbox, run: &str) -> u64 {
    let metrics = sandbox.json(&format!("runs/{run}/metrics.json"));
    metrics["peak_vram_allocated_bytes"].as_u64().unwrap()
}

fn forget_tape(sandbox: &Sandbox, run: &str) {
    let file = format!("runs/{run}/metrics.json");
    let mut metrics = sandbox.json(&file);
    metrics.as_object_mut().unwrap().remove("tape");
    sandbox.write(&file, &metrics.to_string());
}

#[test]
fn a_tape_is_recorded_and_changes_memory_alone() {
    let sandbox = measured();
    let [full, rows] =
        ["full2", "rows2"].map(|run| sandbox.json(&format!("runs/{run}/metrics.json")));
    assert_eq!((&full["tape"], &rows["tape"]), (&json!("full"), &json!("rows")));
    assert_eq!((&full["probe_id"], &full["loss"]), (&rows["probe_id"], &rows["loss"]));
    assert!(peak(&sandbox, "rows2") < peak(&sandbox, "full2"));
    assert!(sandbox.read("runs/rows2/summary.md").contains("- tape: rows\n"));

    let plain = ["--step", "plain", "--measure-steps", "1", "--output-dir", "runs/plain"];
    assert_eq!(sandbox.probe(&plain).code, Some(0));
    assert_eq!(sandbox.json("runs/plain/metrics.json")["tape"], Value::Null);
    assert!(sandbox.read("runs/plain/summary.md").contains("- tape: autograd's\n"));
}

/// A run from before there were two tapes had the one that there was, and is filed under no other.
#[test]
fn artifacts_without_a_tape_are_of_the_full_one() {
    let sandbox = measured();
    for run in ["full2", "rows2"] {
        forget_tape(&sandbox, run);
    }
    let fit = sandbox.vram(&["fit", "runs/full2", "--format", "json"]);
    let fit: Value = serde_json::from_str(&fit.stdout).unwrap();
    assert_eq!(fit["tiers"][0]["tape"], "full");
    let ran = sandbox.vram(&["fit", "runs/rows2"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--tape is `rows` in run_cmd.txt"), "{}", ran.stderr);
}

/// Tapes share no constant, and a calibration tells them apart.
#[test]
fn each_tape_is_a_tier_of_its_own() {
    let sandbox = measured();
    let runs = ["full2", "full4", "rows2", "rows4"].map(|run| format!("runs/{run}"));
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    let fit = sandbox.vram(&[&["fit"], &runs[..], &["--out", "both.toml"]].concat());
    assert_eq!(fit.code, Some(0), "{}", fit.stderr);
    let text = sandbox.read("both.toml");
    assert_eq!(text.matches("tape = \"rows\"").count(), 1, "{text}");
    assert!(!text.contains("tape = \"full\""), "{text}");
    let allocated = |tape: &str| {
        let workload = ["--ant", ANT, "--colony", COLONY, "--batch", "2", "--tape", tape];
        let tail = ["--calibration", "both.toml", "--format", "json"];
        let ran = sandbox.vram(&[&["predict"], &workload[..], &tail].concat());
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(json["tape"], tape);
        json["allocated_bytes"].as_u64().unwrap()
    };
    assert!(allocated("rows") < allocated("full"));
}

#[test]
fn a_report_shows_the_tapes_beside_each_other() {
    let sandbox = measured();
    assert_eq!(sandbox.vram(&["report", "runs"]).code, Some(0));
    let report = sandbox.read("runs/report.md");
    let section = report.split("\n## Full tape and rows\n").nth(1).expect("a section of both");
    let section = section.split("\n## ").next().unwrap();
    for batch in ["2", "4"] {
        let (full, rows) =
            (peak(&sandbox, &format!("full{batch}")), peak(&sandbox, &format!("rows{batch}")));
        let start = format!("| full{batch} | rows{batch} | {full} | {rows} |");
        assert!(section.lines().any(|line| line.starts_with(&start)), "{start}: {section}");
    }
    // The largest batch on each card, once a workload whatever its batch, as `capacity` has it.
    for tape in ["full", "rows"] {
        let name = format!("| {tape} |");
        let line = section.lines().find(|line| line.contains(&name)).expect("a line of the tape");
        let of_capacity = |vram: &str| {
            let workload = ["--ant", ANT, "--colony", COLONY, "--tape", tape];
            let ran = sandbox.vram(
                &[&["capacity"], &workload[..], &["--vram", vram, "--format", "json"]].concat(),
            );
            let json: Value = serde_json::from_str(&ran.stdout).unwrap();
            json["max_batch"].to_string()
        };
        for vram in ["16GiB", "141GiB"] {
            assert!(line.contains(&format!("| {} |", of_capacity(vram))), "{vram}: {line}");
        }
    }
    assert!(report.contains("--tape rows"), "{report}");
    let csv = sandbox.read("runs/table.csv");
    let tapes: Vec<_> = csv.lines().map(|l| l.rsplit(',').nth(3).unwrap()).collect();
    assert_eq!(tapes, ["tape", "full", "full", "rows", "rows"]);

    // One tape alone has nothing to stand beside.
    let ran = sandbox.vram(&["report", "runs/rows2", "--out-dir", "alone"]);
    assert_eq!(ran.code, Some(0));
    assert!(!sandbox.read("alone/report.md").contains("Full tape and rows"));
}

#[test]
fn the_plain_step_takes_no_tape() {
    let sandbox = Sandbox::new();
    let before = sandbox.contents();
    let workload = ["--ant", ANT, "--colony", COLONY, "--step", "plain", "--tape", "full"];
    for (command, more) in [
        ("probe", &["--output-dir", "runs/mine"][..]),
        ("predict", &[]),
        ("explain", &[]),
        ("capacity", &["--vram", "1GiB"]),
    ] {
        let ran = sandbox.vram(&[&[command], &workload[..], more].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{command}");
        assert!(ran.stderr.contains("its tape is autograd's"), "{command}: {}", ran.stderr);
    }
    let ran = sandbox.vram(&["bench", "--step", "plain", "--tape", "rows", "--device", "cpu"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("its tape is autograd's"), "{}", ran.stderr);
    assert!(sandbox.contents() == before);
}

#[test]
fn explain_lists_what_each_tape_holds() {
    let sandbox = Sandbox::new();
    for (tape, kept, not) in
        [("full", "4 T B R D", "4 T B 5 D"), ("rows", "4 T B 5 D", "4 T B R D")]
    {
        let ran = sandbox.vram(&["explain", "--ant", ANT, "--colony", COLONY, "--tape", tape]);
        assert!(ran.stdout.contains(kept) && !ran.stdout.contains(not), "{}", ran.stdout);
    }
}
