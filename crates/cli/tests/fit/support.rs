//! Runs of the original harness, as they are and changed.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};
use vram_presets::library::workload_from_text;
use vram_source::text::Syntax;

pub fn torch() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/tests/data/torch_h200")
}

pub fn vram(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vram").unwrap();
    command.args(args);
    command
}

pub fn stdout(args: &[&str]) -> String {
    let output = vram(args).assert().success().get_output().stdout.clone();
    String::from_utf8(output).unwrap()
}

pub fn fit_json(dir: &Path, more: &[&str]) -> Value {
    let dir = dir.to_str().unwrap();
    serde_json::from_str(&stdout(&[&["fit", "--format", "json", dir], more].concat())).unwrap()
}

/// A copy of some of the rows, to be spoilt.
pub fn copied(rows: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for row in rows {
        let (from, to) = (torch().join(row), dir.path().join(row));
        fs::create_dir(&to).unwrap();
        for name in ["metrics.json", "run_cmd.txt", "env.json"] {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
    dir
}

pub fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// Says in a run's own artifacts that nobody measured what it holds now.
pub fn mark_synthetic(row: &Path, what: &str) {
    change(&row.join("run_cmd.txt"), |r| {
        r["notes"].as_array_mut().unwrap().push(json!(format!("synthetic: {what}")));
    });
}

/// Makes the artifacts say what the measurement and the spec of run_cmd.txt now say.
pub fn agree(row: &Path) {
    let read = |name| -> Value {
        serde_json::from_str(&fs::read_to_string(row.join(name)).unwrap()).unwrap()
    };
    let (run_cmd, metrics) = (read("run_cmd.txt"), read("metrics.json"));
    let spec = workload_from_text(&run_cmd["resolved_spec"].to_string(), Syntax::Json).unwrap();
    let (out_dim, amp) = (metrics["out_dim"].as_u64().unwrap(), metrics["amp"] == 1);
    let ids = json!({ "workload_id": spec.workload_id(), "probe_id": spec.probe_id(out_dim, amp) });
    let mode = json!({ "precision": spec.ant.precision.name(), "amp": metrics["amp"] });
    let argv = json!(&run_cmd["argv"].as_array().unwrap()[..5]);
    let specs = json!({ "canonical_spec": run_cmd["resolved_spec"], "argv": argv });
    let sizes = json!(spec.colony);
    for (name, parts) in [
        ("metrics.json", vec![&ids, &mode, &sizes]),
        ("run_cmd.txt", vec![&ids, &specs]),
        ("env.json", vec![&mode]),
    ] {
        let parts = parts.into_iter().flat_map(|part| part.as_object().unwrap().clone());
        change(&row.join(name), |v| v.as_object_mut().unwrap().extend(parts));
    }
}

pub const SMALL: [&str; 3] = ["dp01_smallxreal_B16", "dp02_smallxreal_B32", "dp09_smallxreal_B24"];
