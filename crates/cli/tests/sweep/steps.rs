//! Rows of a sweep that take another step of the model.

use std::fs;

use vram_artifacts::run_record::read;
use vram_presets::step::StepKind;

use crate::support::{ANT, COLONY, Sandbox, text};

/// A and B fused, C as B and plain.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::real(&[("A", ANT, COLONY, 1), ("B", ANT, COLONY, 2)]);
    let sweep = fs::read_to_string(sandbox.path("mine.toml")).unwrap();
    let plain = format!("[[row]]\nid = \"C\"\nant = '{ANT}'\ncolony = '{COLONY}'\nbatch = 2\n");
    fs::write(sandbox.path("mine.toml"), sweep + &plain + "step = \"plain\"\n").unwrap();
    sandbox
}

#[test]
fn a_plain_row_runs_without_a_prediction_and_in_a_tier_of_its_own() {
    let sandbox = sandbox();
    let output = sandbox.sweep(&[]);
    let (said, table) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{said}");
    let told = "[3/3] C      runs without a prediction: the plain step has no ledger yet";
    assert!(said.contains(told), "{said}");
    assert_eq!(said.matches("without a prediction").count(), 1, "{said}");
    for (row, step) in [("A", StepKind::Fused), ("B", StepKind::Fused), ("C", StepKind::Plain)] {
        let run = read(&sandbox.row(row)).unwrap();
        assert_eq!(run.metrics.step, Some(step), "{row}");
    }
    assert!(table.contains("│ 64x8 plain "), "{table}");
    assert!(table.contains("│ case ┆ step "), "{table}");
    let report = fs::read_to_string(sandbox.path("out/report.md")).unwrap();
    assert!(report.contains("| B | C |"), "{report}");

    // What was measured is the row's, until the row takes the other step.
    let resumed = text(&sandbox.sweep(&["--resume"]).stderr);
    assert_eq!(resumed.matches("finished before").count(), 3, "{resumed}");
    let sweep = fs::read_to_string(sandbox.path("mine.toml")).unwrap();
    fs::write(sandbox.path("mine.toml"), sweep.replace("step = \"plain\"\n", "")).unwrap();
    let output = sandbox.sweep(&["--resume"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("plain steps") && said.contains("fused"), "{said}");
}

#[test]
fn no_boundary_is_searched_where_nothing_is_predicted() {
    let sandbox = sandbox();
    let output = sandbox.sweep(&["--find-max", "--vram", "48MiB"]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("--find-max cannot search for row C"), "{said}");
    assert!(said.contains("--only"), "{said}");
    assert!(!sandbox.path("out").exists());
}
