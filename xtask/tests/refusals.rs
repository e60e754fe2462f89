//! What a sweep refuses before anything runs: exit 2, a message, nothing touched.

use std::path::Path;

use assert_cmd::Command;

fn refused(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::cargo_bin("xtask").unwrap();
    command.arg("sweep").args(args).current_dir(dir).env("CUDA_VISIBLE_DEVICES", "");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn names_that_do_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let unknown = refused(dir.path(), &["--sweep", "vra43"]);
    assert!(unknown.contains("did you mean vra34?"), "{unknown}");
    let row = refused(dir.path(), &["--only", "DP1,DP77"]);
    assert!(row.contains("no row `DP77`") && row.contains("DP1E16"), "{row}");
    let device = refused(dir.path(), &["--device", "cuda"]);
    assert!(device.contains("run on the CPU: --device cpu"), "{device}");
    let resume = refused(dir.path(), &["--resume"]);
    assert!(resume.contains("no run of vra34 on cpu to resume"), "{resume}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_holds_a_row_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let row = dir.path().join("out/DP1_smallxreal_B16");
    std::fs::create_dir_all(&row).unwrap();
    std::fs::write(row.join("metrics.json"), "mine").unwrap();
    let message = refused(dir.path(), &["--out", "out"]);
    assert!(message.contains("DP1_smallxreal_B16 is there already"), "{message}");
    assert_eq!(std::fs::read_to_string(row.join("metrics.json")).unwrap(), "mine");
}

#[test]
fn without_a_workspace_there_is_nothing_to_build() {
    let dir = tempfile::tempdir().unwrap();
    let message = refused(dir.path(), &["--sweep", "smoke", "--device", "cpu"]);
    assert!(message.contains("no workspace to build vram in"), "{message}");
}

/// A sweep file whose row names a preset that does not exist.
#[test]
fn a_row_that_names_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let text = include_str!("../../presets/sweeps/smoke.toml");
    std::fs::write(dir.path().join("mine.toml"), text.replacen("smoke_narrow", "smoke_narow", 1))
        .unwrap();
    let message = refused(dir.path(), &["--sweep", "mine.toml"]);
    assert!(
        message.contains("row N16") && message.contains("did you mean smoke_narrow"),
        "{message}"
    );
}
