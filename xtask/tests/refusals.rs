//! What a sweep refuses before anything runs: exit 2, a message, nothing touched.

use std::path::Path;

use assert_cmd::Command;

/// The message, without its line breaks.
fn refused_in_words(dir: &Path, args: &[&str]) -> String {
    let words: Vec<String> =
        refused(dir, args).split_whitespace().filter(|w| *w != "│").map(str::to_owned).collect();
    words.join(" ")
}

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

/// There is nothing to continue in a directory that is not there, or that no sweep has begun in.
#[test]
fn what_has_not_begun_is_not_continued() {
    let dir = tempfile::tempdir().unwrap();
    let resumed = ["--sweep", "smoke", "--device", "cpu", "--resume", "--out"];
    let missing = refused(dir.path(), &[&resumed[..], &["nowhere"]].concat());
    assert!(missing.contains("no directory nowhere"), "{missing}");
    assert!(missing.contains("leave out --resume"), "{missing}");
    std::fs::create_dir(dir.path().join("mine")).unwrap();
    let strange = refused(dir.path(), &[&resumed[..], &["mine"]].concat());
    assert!(strange.contains("no sweep has begun in mine"), "{strange}");
    assert!(!dir.path().join("nowhere").exists());
    assert_eq!(std::fs::read_dir(dir.path().join("mine")).unwrap().count(), 0);
}

/// The runs of VRA-34 are no rows of the smoke sweep.
#[test]
fn another_sweep_is_not_continued() {
    let dir = tempfile::tempdir().unwrap();
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results/h200/vra34");
    let resumed = ["--device", "cpu", "--resume", "--out", runs.to_str().unwrap(), "--sweep"];
    let another = refused_in_words(dir.path(), &[&resumed[..], &["smoke"]].concat());
    assert!(another.contains("holds another sweep than smoke, with a row DP"), "{another}");
    // A sweep whose rows have the same names and other settings is another one, too.
    let text = include_str!("../../presets/sweeps/vra34.toml");
    let longer = text.replacen("measure_steps = 3", "measure_steps = 4", 1);
    std::fs::write(dir.path().join("mine.toml"), longer).unwrap();
    let another = refused_in_words(dir.path(), &[&resumed[..], &["mine.toml"]].concat());
    assert!(another.contains("is of another sweep than"), "{another}");
    // A search for boundaries is not what lies there.
    let another = refused_in_words(dir.path(), &[&resumed[..], &["vra34", "--find-max"]].concat());
    assert!(another.contains("holds another sweep than vra34"), "{another}");
}
