//! Sweeps on a card that counts memory and computes nothing: real artifacts, changed into such.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use vram_artifacts::run_record::read;

use crate::support::{ANT, COLONY, ROWS, Sandbox, text};

fn set(path: &Path, keys: &[&str], value: &Value) {
    let mut artifact: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    keys.iter().for_each(|key| artifact[key] = value.clone());
    fs::write(path, artifact.to_string()).unwrap();
}

/// What a probe leaves there: its card is virtual, and its steps have no times.
fn make_virtual(run: &Path) {
    set(&run.join("env.json"), &["virtual_card"], &json!(true));
    let lists = ["step_times_s", "warmup_step_times_s", "phase_times_s"];
    let statistics = ["median_step_time_s", "p95_step_time_s", "max_step_time_s"];
    set(&run.join("metrics.json"), &[lists, statistics].concat(), &Value::Null);
}

#[test]
fn a_sweep_on_a_virtual_card_ends_and_its_report_names_the_rows() {
    let sandbox = Sandbox::scripted();
    ROWS.iter().for_each(|row| make_virtual(&sandbox.path("templates").join(row)));
    let output = sandbox.sweep(&[]);
    let (said, table) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(sandbox.ran(), ROWS);
    let shown = "GiB  median step - s  virtual card: no measurement";
    assert_eq!(said.matches(shown).count(), 3, "{said}");
    let report = fs::read_to_string(sandbox.path("out/report.md")).unwrap();
    for row in ROWS {
        assert!(read(&sandbox.row(row)).unwrap().env.virtual_card);
        let excluded = format!("{row}: not measured: it ran on a virtual card");
        assert!(table.contains(&format!("excluded {excluded}")), "{table}");
        assert!(report.contains(&format!("- {excluded}")), "{report}");
    }
    assert!(!table.contains("│ A "), "{table}");
    assert!(!sandbox.path("out/calibration.toml").exists());

    // Continued on the same card there is nothing to keep.
    assert_eq!(sandbox.sweep(&["--resume"]).status.code(), Some(0));
    assert_eq!(sandbox.ran(), [ROWS, ROWS].concat());
}

#[test]
fn a_row_of_a_virtual_card_is_measured_again() {
    let sandbox = Sandbox::scripted();
    assert_eq!(sandbox.sweep(&[]).status.code(), Some(0));
    make_virtual(&sandbox.row("B"));
    let output = sandbox.sweep(&["--resume"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let why =
        "[2/3] B      runs again: what is there ran on a virtual card, which is no measurement";
    assert!(said.contains(why), "{said}");
    assert_eq!(said.matches("finished before").count(), 2, "{said}");
    assert_eq!(sandbox.ran(), ["A", "B", "C", "B"]);
    assert!(!read(&sandbox.row("B")).unwrap().env.virtual_card);
    // Nothing is deleted.
    let aside = PathBuf::from(format!("{}.unfinished-1", sandbox.row("B").display()));
    assert!(read(&aside).unwrap().env.virtual_card);
}

/// A bench whose executable has a stand-in that the bench itself has not.
#[test]
fn a_bench_of_rows_on_a_virtual_card_is_refused() {
    let sandbox = Sandbox::scripted();
    let answers =
        "#!/bin/sh\n[ \"$1\" != bandwidth ] || { echo '{\"copy_bytes_per_s\": 1e9}'; exit; }\n";
    let probe = fs::read_to_string(sandbox.path("vram")).unwrap();
    sandbox.probe_by(&probe.replacen("#!/bin/sh\n", answers, 1));
    let bench = |out: &str| {
        let mut bench = Command::new(sandbox.path("sweeper"));
        bench.args(["bench", "--device", "cpu", "--sweep", "mine.toml", "--steps", "1"]);
        bench.args(["--out", out]).current_dir(sandbox.path("")).output().unwrap()
    };
    let real = bench("real");
    assert_eq!(real.status.code(), Some(0), "{}", text(&real.stderr));
    assert!(sandbox.path("real/bench.json").exists());
    make_virtual(&sandbox.path("templates/B"));
    let refused = bench("virtual");
    let said = text(&refused.stderr);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("the card is virtual") && said.contains("`vram dry-run`"), "{said}");
    assert!(!sandbox.path("virtual/bench.json").exists());
}

#[test]
fn a_boundary_on_a_virtual_card_is_not_said_to_be_measured() {
    let sandbox = Sandbox::real(&[("A", ANT, COLONY, 1)]);
    fs::rename(sandbox.path("vram"), sandbox.path("probe")).unwrap();
    let script = "#!/bin/sh\n\"$(dirname \"$0\")/probe\" \"$@\" || exit\n\
                  while [ \"$1\" != --output-dir ]; do shift; done\n\
                  sed -i 's/\"virtual_card\": false/\"virtual_card\": true/' \"$2/env.json\"\n";
    sandbox.probe_by(script);
    let output = sandbox.sweep(&["--find-max", "--vram", "48MiB"]);
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = "max batch: counted on a virtual card within ";
    assert!(table.contains(said), "{table}");
}
