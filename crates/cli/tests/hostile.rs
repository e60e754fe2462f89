//! Artifacts that nobody wrote: whatever lies in a run directory is read or refused, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use indicatif::ProgressBar;
use proptest::prelude::*;
use serde_json::{Value, json};
use vram_cli::artifacts::{self, ArtifactError};
use vram_cli::study::{Catalogue, Runs, Study, Terms};

const FILES: [&str; 3] = ["metrics.json", "run_cmd.txt", "env.json"];

fn original(name: &str) -> Vec<u8> {
    let run = "tests/data/torch_h200/dp01_smallxreal_B16";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(run).join(name)).unwrap()
}

/// A real run of which one file is `text`.
fn run_with(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("row");
    fs::create_dir(&run).unwrap();
    for file in FILES {
        fs::write(run.join(file), original(file)).unwrap();
    }
    fs::write(run.join(name), text).unwrap();
    (dir, run)
}

/// Everything that a report does with a run that can be read.
fn use_it(run: &Path) {
    let Ok(record) = artifacts::read(run) else { return };
    let runs = Runs { records: vec![record], unreadable: Vec::new() };
    for terms in [Terms::Ring, Terms::RingStateToken] {
        if let Ok(study) = Study::new(&runs, terms) {
            study.lines(&Catalogue::default());
        }
    }
}

/// A place in JSON text where a value begins, and something else in its place.
fn other_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("-1".to_owned()),
        Just("1e400".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("\"\"".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        any::<u64>().prop_map(|x| x.to_string()),
    ]
}

/// Deeper than any stack, in each artifact.
#[test]
fn nesting_is_refused_before_the_stack_ends() {
    for which in FILES {
        for part in ["[", "{\"resolved_spec\":"] {
            let (_dir, run) = run_with(which, part.repeat(100_000).as_bytes());
            assert!(matches!(artifacts::read(&run), Err(ArtifactError::Parse { .. })));
        }
    }
}

/// An artifact, a change to it, and what the refusal says.
type Edit = (&'static str, fn(&mut Value), &'static [&'static str]);

/// A real artifact with a change.
fn changed(name: &str, edit: fn(&mut Value)) -> String {
    let mut value: Value = serde_json::from_slice(&original(name)).unwrap();
    edit(&mut value);
    value.to_string()
}

/// A peak that is filed under the sizes of another run is worse than none.
#[test]
fn artifacts_that_disagree_are_refused_with_both_values() {
    let edits: [Edit; 12] = [
        (
            "metrics.json",
            |m| m["batch_size"] = json!(17),
            &["batch_size is `17` in metrics.json", "`16` in run_cmd.txt"],
        ),
        ("metrics.json", |m| m["seq_len"] = json!(1), &["seq_len is `1`", "`256` in run_cmd.txt"]),
        ("metrics.json", |m| m["synth_len"] = json!(1), &["synth_len is `1`", "`256`"]),
        (
            "metrics.json",
            |m| m["precision"] = json!("fp32"),
            &["precision is `fp32` in metrics.json", "`fp16` in run_cmd.txt"],
        ),
        ("metrics.json", |m| m["amp"] = json!(0), &["_amp1`", "_amp0` in metrics.json"]),
        ("metrics.json", |m| m["amp"] = json!(2), &["_amp1`", "_amp2` in metrics.json"]),
        ("metrics.json", |m| m["out_dim"] = json!(2), &["__E1__", "__E2__"]),
        (
            "metrics.json",
            |m| m["workload_id"] = json!("wl_v1_0"),
            &["`wl_v1_0` in metrics.json", "`wl_v1_831069834653`"],
        ),
        (
            "metrics.json",
            |m| m["warmup_steps"] = json!(9),
            &["--warmup-steps is `2` in run_cmd.txt (argv)", "`9` in metrics.json"],
        ),
        (
            "env.json",
            |e| e["precision"] = json!("bf16"),
            &["`bf16` in env.json", "`fp16` in metrics.json"],
        ),
        (
            "run_cmd.txt",
            |r| r["canonical_spec"]["ant_spec"]["ring_len"] = json!(4),
            &["run_cmd.txt (canonical_spec)", "run_cmd.txt (resolved_spec)"],
        ),
        (
            "run_cmd.txt",
            |r| r["argv"][8] = json!("15"),
            &["--batch is `15`", "`16` in metrics.json"],
        ),
    ];
    for (name, edit, said) in edits {
        let (dir, run) = run_with(name, changed(name, edit).as_bytes());
        let message = artifacts::read(&run).unwrap_err().to_string();
        for part in said {
            assert!(message.contains(part), "{part}: {message}");
        }
        // Named it is refused; among others it is listed, and they are read.
        assert!(Runs::load(std::slice::from_ref(&run), &ProgressBar::hidden()).is_err());
        let (_other, good) = run_with("env.json", &original("env.json"));
        fs::rename(good, dir.path().join("good")).unwrap();
        let runs = Runs::load(&[dir.path().to_owned()], &ProgressBar::hidden()).unwrap();
        assert_eq!((runs.records.len(), runs.unreadable.len()), (1, 1));
        assert_eq!(runs.unreadable[0].1.to_string(), message);
    }
}

/// A pipe without a writer and a device without an end, where an artifact should be.
#[cfg(unix)]
#[test]
fn an_artifact_that_is_no_file_is_refused_at_once() {
    for name in FILES {
        let (dir, run) = run_with(name, b"");
        fs::remove_file(run.join(name)).unwrap();
        let made = std::process::Command::new("mkfifo").arg(run.join(name)).status().unwrap();
        assert!(made.success());
        let (_zero, zero) = run_with(name, b"");
        fs::remove_file(zero.join(name)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", zero.join(name)).unwrap();
        fs::rename(zero, dir.path().join("zero")).unwrap();
        let (_good, good) = run_with("env.json", &original("env.json"));
        fs::rename(good, dir.path().join("good")).unwrap();
        let mut fit = Command::cargo_bin("vram").unwrap();
        let output = fit.arg("fit").arg(dir.path()).assert().success().get_output().stdout.clone();
        let text = String::from_utf8(output).unwrap();
        for (id, what) in [("row", "a pipe"), ("zero", "a device")] {
            let line = text.lines().find(|l| l.starts_with(&format!("excluded {id}: "))).unwrap();
            assert!(line.contains(name) && line.contains(what), "{line}");
        }
    }
}

/// The longest numbers that a clock could give, once for each step.
#[test]
fn the_longest_run_is_read_again() {
    let (_dir, run) = run_with("metrics.json", &original("metrics.json"));
    let mut metrics = artifacts::read(&run).unwrap().metrics;
    metrics.step_times_s = vec![1.234_567_890_123_456_7e-100; artifacts::MOST_STEPS as usize];
    for file in FILES {
        fs::remove_file(run.join(file)).unwrap();
    }
    artifacts::RunDir::create(&run).unwrap().write_results(&metrics).unwrap();
    let text = vram_source::read_text(&run.join("metrics.json")).unwrap();
    let room = vram_source::LIMIT_BYTES - text.len() as u64;
    assert!(room > 1 << 19, "{room} bytes are left for messages");
}

/// A row's id, a device's name and a directory come from files: they are shown and do nothing.
#[test]
fn hostile_names_are_only_shown() {
    const NAME: &str = "a|b\u{1b}[31m\n# Title\u{202e}</text>`";
    let row_id = changed("run_cmd.txt", |r| r["row_id"] = NAME.into());
    let (dir, run) = run_with("run_cmd.txt", row_id.as_bytes());
    // Another batch of the same tier, so that there are constants.
    let second = dir.path().join("second");
    fs::create_dir(&second).unwrap();
    for name in FILES {
        let larger = Path::new(env!("CARGO_MANIFEST_DIR"));
        let larger = larger.join("tests/data/torch_h200/dp02_smallxreal_B32");
        fs::copy(larger.join(name), second.join(name)).unwrap();
    }
    for run in [&run, &second] {
        let env = changed("env.json", |e| e["gpu_name"] = NAME.into());
        fs::write(run.join("env.json"), env).unwrap();
    }
    let broken = dir.path().join("x\u{1b}]0;t\u{7}|y\nz");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("env.json"), "{").unwrap();
    let vram = |args: &[&str]| {
        let mut command = Command::cargo_bin("vram").unwrap();
        let output = command.args(args).arg(dir.path()).assert().success().get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    };
    let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    for format in ["table", "csv", "json"] {
        let text = vram(&["fit", "--format", format]);
        assert!(!text.contains(acts), "{format}: {text:?}");
        if format == "json" {
            let fit: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(fit["rows"][0]["id"], NAME);
        }
    }
    vram(&["report"]);
    let read = |file| fs::read_to_string(dir.path().join(file)).unwrap();
    for file in ["report.md", "peaks.svg", "calibration.toml"] {
        assert!(!read(file).contains(|c: char| c.is_control() && c != '\n'), "{file}");
    }
    let report = read("report.md");
    assert!(!report.contains("\n# Title"), "{report}");
    // Every row of a table has as many cells as its heading.
    for table in report.split("\n\n").filter(|block| block.starts_with("| ")) {
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let counts: Vec<usize> = table.lines().filter(|l| l.starts_with('|')).map(cells).collect();
        assert!(counts.iter().all(|&n| n == counts[0]), "{table}");
    }
    assert!(!read("peaks.svg").contains("</text>`"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_run(
        which in 0..FILES.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let (_dir, run) = run_with(FILES[which], &bytes);
        prop_assert!(artifacts::read(&run).is_err());
    }

    #[test]
    fn a_truncated_artifact_is_never_read_as_whole(which in 0..FILES.len(), part in 0.0..1.0f64) {
        let whole = String::from_utf8(original(FILES[which])).unwrap();
        let whole = whole.trim_end();
        let cut = (whole.len() as f64 * part) as usize;
        let (_dir, run) = run_with(FILES[which], &whole.as_bytes()[..cut]);
        prop_assert!(artifacts::read(&run).is_err());
    }

    #[test]
    fn flipped_bytes_never_panic(
        which in 0..FILES.len(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = original(FILES[which]);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (_dir, run) = run_with(FILES[which], &bytes);
        use_it(&run);
    }

    /// Numbers, nulls and nonsense in the place of any value.
    #[test]
    fn other_values_never_panic(
        which in 0..FILES.len(),
        key in any::<prop::sample::Index>(),
        value in other_value(),
    ) {
        let text = String::from_utf8(original(FILES[which])).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let at = key.index(lines.len());
        let changed: Vec<String> = lines.iter().enumerate().map(|(i, line)| {
            match line.split_once(": ") {
                Some((key, old)) if i == at && !old.starts_with(['{', '[']) => {
                    let comma = if old.ends_with(',') { "," } else { "" };
                    format!("{key}: {value}{comma}")
                }
                _ => (*line).to_owned(),
            }
        }).collect();
        let (_dir, run) = run_with(FILES[which], changed.join("\n").as_bytes());
        use_it(&run);
    }
}
