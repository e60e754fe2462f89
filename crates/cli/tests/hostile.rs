//! Artifacts that nobody wrote, as `vram` takes them.

#[path = "../../artifacts/tests/hostile/support.rs"]
mod support;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use support::{FILES, original, run_with};

/// A real artifact with a change.
fn changed(name: &str, edit: fn(&mut Value)) -> String {
    let mut value: Value = serde_json::from_slice(&original(name)).unwrap();
    edit(&mut value);
    value.to_string()
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
        let larger = larger.join("../artifacts/tests/data/torch_h200/dp02_smallxreal_B32");
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
    for file in ["report.md", "report.html", "peaks.svg", "calibration.toml"] {
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
    for file in ["report.html", "peaks.svg"] {
        assert!(!read(file).contains("</text>`"), "{file}");
    }
}
