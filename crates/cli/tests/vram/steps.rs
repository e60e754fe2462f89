//! The two steps of the model, and what watches them, from the probe to the report.

use std::fs;
use std::process::Command;

use crate::support::{ANT, COLONY, Sandbox};
use serde_json::{Value, json};

/// The same text on one line.
fn said(text: &str) -> String {
    let text = text.replace(['│', '×', '╰', '─', '▶'], "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn change(sandbox: &Sandbox, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = sandbox.json(file);
    change(&mut value);
    sandbox.write(file, &value.to_string());
}

/// Fused and plain runs of one ant with two batches each. One step is measured: beside itself it
/// cannot be slow, however busy the machine is.
fn measured() -> Sandbox {
    let sandbox = Sandbox::new();
    for step in ["fused", "plain"] {
        for batch in ["2", "4"] {
            let dir = format!("runs/{step}{batch}");
            let step = ["--step", step, "--measure-steps", "1"];
            let run = ["--batch", batch, "--output-dir", &dir];
            let ran = sandbox.probe(&[step, run].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        }
    }
    sandbox
}

#[test]
fn a_step_is_recorded_and_is_no_part_of_an_id() {
    let sandbox = measured();
    let (fused, plain) =
        (sandbox.json("runs/fused2/metrics.json"), sandbox.json("runs/plain2/metrics.json"));
    assert_eq!((&fused["step"], &plain["step"]), (&json!("fused"), &json!("plain")));
    assert_eq!(fused["probe_id"], plain["probe_id"]);
    assert!(sandbox.read("runs/plain2/summary.md").contains("- step: plain\n"));
    assert!(sandbox.read("runs/plain2/metrics.csv").contains(",plain,"));
    let peak = |run: &Value| run["peak_vram_allocated_bytes"].as_u64().unwrap();
    assert!(peak(&plain) > peak(&fused));

    let ran = sandbox.probe(&["--step", "plain", "--output-dir", "runs/mine"]);
    let told = "the plain step has no ledger yet: what it needs is not known before it runs";
    assert!(said(&ran.stderr).contains(told), "{}", ran.stderr);
}

/// Neither a run nor its options may be filed under the other step.
#[test]
fn artifacts_that_disagree_on_the_step_are_refused() {
    let sandbox = measured();
    change(&sandbox, "runs/plain2/metrics.json", |m| m["step"] = json!("fused"));
    let ran = sandbox.vram(&["fit", "runs/plain2"]);
    assert_eq!(ran.code, Some(2));
    let words = said(&ran.stderr);
    assert!(words.contains("--step is `plain` in run_cmd.txt (argv) and `fused` in"), "{words}");
    // From before there were two, it can only be the one that there was.
    change(&sandbox, "runs/fused2/metrics.json", |m| {
        drop(m.as_object_mut().unwrap().remove("step"))
    });
    let fit = sandbox.vram(&["fit", "runs/fused2", "--format", "json"]);
    let fit: Value = serde_json::from_str(&fit.stdout).unwrap();
    assert_eq!(fit["tiers"][0]["step"], "fused");
    change(&sandbox, "runs/fused4/metrics.json", |m| m["step"] = json!("other"));
    let words = said(&sandbox.vram(&["fit", "runs/fused4"]).stderr);
    assert!(words.contains("unknown variant `other`, expected `fused` or `plain`"), "{words}");
}

#[test]
fn steps_share_no_tier_and_no_constant() {
    let sandbox = measured();
    for terms in ["ring", "ring,state,token"] {
        let fit = |dirs: &[&str]| -> Value {
            let args = [&["fit", "--terms", terms, "--format", "json"], dirs].concat();
            serde_json::from_str(&sandbox.vram(&args).stdout).unwrap()
        };
        let (both, fused) = (fit(&["runs"]), fit(&["runs/fused2", "runs/fused4"]));
        let plain = fit(&["runs/plain2", "runs/plain4"]);
        assert_eq!(both["tiers"].as_array().unwrap().len(), 2, "{both:#}");
        // As if the others were not there.
        assert_eq!(
            (&both["tiers"][0], &both["tiers"][1]),
            (&fused["tiers"][0], &plain["tiers"][0])
        );
        assert_eq!(
            (&both["tiers"][0]["name"], &both["tiers"][0]["step"]),
            (&json!("256x32"), &json!("fused"))
        );
        assert_eq!(
            (&both["tiers"][1]["name"], &both["tiers"][1]["step"]),
            (&json!("256x32 plain"), &json!("plain"))
        );
        let rows = |fit: &Value| fit["rows"].as_array().unwrap().clone();
        let alone = [rows(&fused), rows(&plain)].concat();
        assert_eq!(rows(&both), alone);
        // A ledger is the fused step's.
        for row in rows(&both) {
            assert_eq!(row["ledger_reserved_bytes"].is_null(), row["step"] == "plain", "{row}");
        }
    }
    // A tier of one run borrows from its own step, or not at all.
    let other = ANT.replace("256", "128");
    for step in ["fused", "plain"] {
        let dir = format!("single/{step}");
        let args = ["--ant", &other, "--colony", COLONY, "--measure-steps", "1"];
        let args = [&args[..], &["--step", step, "--output-dir", &dir]].concat();
        assert_eq!(sandbox.vram(&[&["probe"], &args[..]].concat()).code, Some(0));
    }
    let fit = |dirs: &[&str]| -> Value {
        let args = [&["fit", "--format", "json"], dirs].concat();
        let fit: Value = serde_json::from_str(&sandbox.vram(&args).stdout).unwrap();
        let mut tiers = fit["tiers"].as_array().unwrap().iter();
        tiers.find(|t| t["name"] == "128x32 plain").unwrap()["borrowed_from"].clone()
    };
    let fused = ["single/plain", "runs/fused2", "runs/fused4"];
    assert_eq!(fit(&fused), Value::Null);
    let lent = fit(&["single", "runs"]);
    assert!(lent.as_str().unwrap().starts_with("256x32 fp32 amp0 plain cpu"), "{lent}");
}

/// A calibration answers for the step that it was fitted on, and for no other.
#[test]
fn a_plain_step_is_predicted_by_a_calibration_that_has_it() {
    let sandbox = measured();
    for step in ["fused", "plain"] {
        let runs = ["2", "4"].map(|batch| format!("runs/{step}{batch}"));
        let out = format!("{step}.toml");
        let ran = sandbox.vram(&["fit", &runs[0], &runs[1], "--out", &out]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert!(sandbox.read("plain.toml").contains("step = \"plain\""));
    assert!(!sandbox.read("fused.toml").contains("step"));
    let workload = ["--ant", ANT, "--colony", COLONY, "--step", "plain"];
    let vram =
        |command: &str, more: &[&str]| sandbox.vram(&[&[command], &workload[..], more].concat());
    let predicted = vram("predict", &["--calibration", "plain.toml", "--format", "json"]);
    assert_eq!(predicted.code, Some(0), "{}", predicted.stderr);
    let predicted: Value = serde_json::from_str(&predicted.stdout).unwrap();
    let peak = &sandbox.json("runs/plain2/metrics.json")["peak_vram_allocated_bytes"];
    let off = predicted["allocated_bytes"].as_f64().unwrap() / peak.as_f64().unwrap() - 1.0;
    assert!(off.abs() < 1e-6, "{predicted}");
    assert_eq!(predicted["step"], "plain");
    let source = predicted["source"].as_str().unwrap();
    let words = "the plain step has no ledger yet: constants of tier 256x32 plain in plain, ";
    assert!(source.starts_with(words), "{source}");
    let room = ["--vram", "1GiB", "--calibration", "plain.toml"];
    let capacity = sandbox.vram(&[&["capacity"], &workload[..], &room].concat());
    assert!(capacity.stdout.contains("the plain step has no ledger yet"), "{}", capacity.stderr);

    // Nothing else knows of it, where no `vram-cuda` lies beside `vram`.
    fs::copy(env!("CARGO_BIN_EXE_vram"), sandbox.path("vram")).unwrap();
    let before = sandbox.contents();
    for (command, more) in [
        ("predict", &[][..]),
        ("predict", &["--calibration", "fused.toml"]),
        ("capacity", &["--vram", "1GiB"]),
        ("explain", &[]),
        ("explain", &["--svg", "peak.svg"]),
    ] {
        let mut alone = Command::new(sandbox.path("vram"));
        alone.args([&[command], &workload[..], more].concat()).current_dir(sandbox.path(""));
        let ran = alone.env("NO_COLOR", "1").output().unwrap();
        let words = said(&String::from_utf8(ran.stderr).unwrap());
        assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{command}: {words}");
        let builds = words.contains("--features cuda --bin vram-cuda");
        assert_eq!(builds, command != "capacity" && !more.contains(&"--svg"), "{words}");
        assert!(words.contains("the plain step has no ledger yet"), "{words}");
        assert!(words.contains("help:") && words.contains("--calibration"), "{words}");
    }
    assert!(sandbox.contents() == before);
    // And a plain tier is not the fused step's.
    let fused = ["predict", "--ant", ANT, "--colony", COLONY, "--calibration", "plain.toml"];
    let ran = sandbox.vram(&fused);
    assert_eq!(ran.code, Some(2));
    assert!(said(&ran.stderr).contains("has no tier for ring 256 x 32"), "{}", ran.stderr);
}

#[test]
fn a_report_shows_the_steps_beside_each_other() {
    let sandbox = measured();
    assert_eq!(sandbox.vram(&["report", "runs"]).code, Some(0));
    let report = sandbox.read("runs/report.md");
    let section = report.split("\n## Fused and plain\n").nth(1).expect("a section of both");
    let section = section.split("\n## ").next().unwrap();
    for batch in ["2", "4"] {
        let peak = |step: &str| {
            let metrics = sandbox.json(&format!("runs/{step}{batch}/metrics.json"));
            metrics["peak_vram_allocated_bytes"].as_u64().unwrap()
        };
        let (fused, plain) = (peak("fused"), peak("plain"));
        let ratio = format!("{:.3}", plain as f64 / fused as f64);
        let line =
            section.lines().find(|l| l.starts_with(&format!("| fused{batch} | plain{batch} |")));
        let line = line.unwrap_or_else(|| panic!("no line of batch {batch}: {section}"));
        for cell in [fused.to_string(), plain.to_string(), ratio] {
            assert!(line.contains(&format!("| {cell} |")), "{cell}: {line}");
        }
    }
    assert!(report.contains("--step plain"), "{report}");
    let ledger = |case: &str| {
        let mut lines = report.lines().filter(|l| l.starts_with(&format!("| {case} | step_end |")));
        lines.next().unwrap().split(" | ").nth(3).unwrap().to_owned()
    };
    assert_eq!(ledger("plain2"), "-");
    assert!(ledger("fused2").parse::<u64>().is_ok());
    let csv = sandbox.read("runs/table.csv");
    let steps: Vec<_> = csv.lines().map(|l| l.rsplit(',').nth(4).unwrap()).collect();
    assert_eq!(steps, ["step", "fused", "fused", "plain", "plain"]);

    // One step alone has nothing to stand beside.
    let ran = sandbox.vram(&["report", "runs/plain2", "--out-dir", "alone"]);
    assert_eq!(ran.code, Some(0));
    assert!(!sandbox.read("alone/report.md").contains("Fused and plain"));
}

/// What is watched is told, and changes nothing.
#[test]
fn a_watched_state_loop_is_in_the_metrics() {
    let sandbox = Sandbox::new();
    for step in ["fused", "plain"] {
        let mut losses = Vec::new();
        for watched in [0, 2, 9] {
            let colony = COLONY
                .replace("\"state_loop_samples\":0", &format!("\"state_loop_samples\":{watched}"));
            let dir = format!("runs/{step}{watched}");
            let args = ["--colony", &colony, "--step", step, "--output-dir", &dir];
            let ran = sandbox.vram(&[&["probe", "--ant", ANT], &args[..]].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let metrics = sandbox.json(&format!("{dir}/metrics.json"));
            assert_eq!(metrics["fail_reasons"], json!([]));
            losses.push(metrics["loss"].as_f64().unwrap().to_bits());
            let found = &metrics["state_loop"];
            if watched == 0 {
                assert!(found.is_null());
                continue;
            }
            assert_eq!(found.as_object().unwrap().len(), 5, "{found}");
            let number =
                |key: &str| found[key].as_f64().unwrap_or_else(|| panic!("{key}: {found}"));
            for rate in ["flip_rate", "abab_rate"] {
                assert!((0.0..=1.0).contains(&number(rate)), "{rate}: {found}");
            }
            // The colony has 32 tokens.
            assert!((1.0..=32.0).contains(&number("max_dwell")), "{found}");
            assert!((1.0..=number("max_dwell")).contains(&number("mean_dwell")), "{found}");
            assert!((0.0..=3.0).contains(&number("entropy_bits")), "{found}");
        }
        assert!(losses.iter().all(|loss| *loss == losses[0]), "{step}");
    }
}

/// How a peak grows with a size is seen between runs of one step.
#[test]
fn no_size_is_told_from_a_run_of_the_other_step() {
    let sandbox = Sandbox::new();
    let (ring, tokens) = (ANT.replace("256", "128"), COLONY.replace(":32", ":16"));
    let changed = [(ANT, COLONY, "4"), (ANT, &tokens, "2"), (&ring, COLONY, "2")];
    let probe = |step: &str, (ant, colony, batch): (&str, &str, &str), dir: &str| {
        let args = ["probe", "--ant", ant, "--colony", colony, "--batch", batch];
        let run = ["--step", step, "--measure-steps", "1", "--output-dir", dir];
        assert_eq!(sandbox.vram(&[&args[..], &run].concat()).code, Some(0));
    };
    for (folder, step) in [("alike", "fused"), ("mixed", "plain")] {
        probe("fused", (ANT, COLONY, "2"), &format!("{folder}/base"));
        for (i, workload) in changed.into_iter().enumerate() {
            probe(step, workload, &format!("{folder}/{i}"));
        }
        sandbox.vram(&["report", folder]);
        let report = sandbox.read(&format!("{folder}/report.md"));
        assert_eq!(report.contains("## Linear in every size?"), folder == "alike", "{report}");
    }
}
