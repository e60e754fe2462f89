//! What `--resume` keeps and `--redo` measures again, and a sweep file of one's own.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{ANT, COLONY, Sandbox, text};

/// Changes what a row has measured.
fn change(sandbox: &Sandbox, row: &str, change: impl FnOnce(&mut Value)) {
    let file = sandbox.row(row).join("metrics.json");
    let mut metrics: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    change(&mut metrics);
    fs::write(file, metrics.to_string()).unwrap();
}

#[test]
fn failed_and_disturbed_rows_are_kept_and_said_and_measured_again_when_named() {
    let sandbox = Sandbox::scripted();
    assert_eq!(sandbox.sweep(&[]).status.code(), Some(0));
    change(&sandbox, "A", |m| m["vram_disturbance_bytes"] = json!(1_u64 << 30));
    change(&sandbox, "B", |m| {
        m["stability_pass"] = json!(false);
        m["fail_reasons"] = json!(["nan_or_inf"]);
    });
    let output = sandbox.sweep(&["--resume"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for line in [
        "[1/3] A      finished before, kept: PASS, disturbed, peak reserved 0.0",
        "; --redo A measures it again\n",
        "[2/3] B      finished before, kept: FAIL (nan_or_inf), peak reserved 0.0",
        "[3/3] C      finished before, kept: PASS, peak reserved 0.0",
        "--sweep mine.toml --out out --redo 'A,B'\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert_eq!(sandbox.ran(), ["A", "B", "C"]);

    let output = sandbox.sweep(&["--redo", "A,B"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("[1/3] A      runs again: what was there is kept aside"), "{said}");
    assert_eq!(sandbox.ran(), ["A", "B", "C", "A", "B"]);
    let aside = PathBuf::from(format!("{}.unfinished-1", sandbox.row("B").display()));
    assert!(fs::read_to_string(aside.join("metrics.json")).unwrap().contains("nan_or_inf"));
}

#[test]
fn a_row_that_is_not_there_is_not_measured_again() {
    let sandbox = Sandbox::scripted();
    for (more, said) in [
        (&["--redo", "X"][..], "sweep mine has no row `X`"),
        (&["--redo", "A", "--find-max"], "cannot be used with"),
        (&["--redo", "A"], "there is no run of mine to resume"),
    ] {
        let output = sandbox.sweep(more);
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(text(&output.stderr).contains(said), "{more:?}: {}", text(&output.stderr));
    }
    assert!(sandbox.ran().is_empty());
}

/// The run directory keeps what the file said, for whoever fits it later.
#[test]
fn a_file_of_ones_own_needs_no_defaults_and_shows_its_notes() {
    let sandbox = Sandbox::scripted();
    let sweep = format!(
        "name = \"mine\"\n[[row]]\nid = \"A\"\nant = '{ANT}'\ncolony = '{COLONY}'\nbatch = 1\n\
         warmup_steps = 0\nmeasure_steps = 1\nnote = \"what I wanted to know\"\n"
    );
    fs::write(sandbox.path("mine.toml"), sweep).unwrap();
    sandbox.probe_by(&format!("#!/bin/sh\nexec {} \"$@\"\n", sandbox.path("sweeper").display()));
    let output = sandbox.sweep(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("what I wanted to know"), "{}", text(&output.stdout));
    let metrics: Value =
        serde_json::from_str(&fs::read_to_string(sandbox.row("A").join("metrics.json")).unwrap())
            .unwrap();
    assert_eq!((&metrics["precision"], &metrics["amp"]), (&json!("fp32"), &json!(0)));

    fs::remove_file(sandbox.path("mine.toml")).unwrap();
    let fit = std::process::Command::new(sandbox.path("sweeper"))
        .args(["fit", "out"])
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    assert!(text(&fit.stdout).contains("what I wanted to know"), "{}", text(&fit.stdout));
}
