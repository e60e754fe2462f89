//! Run directories that are refused, with the reason.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{SMALL, agree, change, copied, fit_json, torch, vram};

/// Exit code 2 and one message; returns it on one line.
fn refused(dir: &Path) -> String {
    let output = vram(&["fit", dir.to_str().unwrap()]).assert().code(2).get_output().clone();
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines()
        .map(|l| l.trim_start_matches([' ', '│', '×', '╰', '─', '▶']))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn broken_artifacts_are_named() {
    let row = SMALL[0];
    let spoilt = |name: &str, text: &str| {
        let dir = copied(&[row]);
        fs::write(dir.path().join(row).join(name), text).unwrap();
        let whole = fs::read_to_string(torch().join(row).join(name)).unwrap();
        assert_ne!(text, whole);
        refused(&dir.path().join(row))
    };
    let metrics = fs::read_to_string(torch().join(row).join("metrics.json")).unwrap();
    let run_cmd = fs::read_to_string(torch().join(row).join("run_cmd.txt")).unwrap();

    let truncated = spoilt("metrics.json", &metrics[..metrics.len() / 2]);
    assert!(truncated.contains("metrics.json: line 19: the text ends inside"), "{truncated}");
    let garbage = spoilt("env.json", "\u{0}not json");
    assert!(garbage.contains("env.json: line 1: expected value"), "{garbage}");
    let missing_key = spoilt("metrics.json", &metrics.replace("\"batch_size\"", "\"batch\""));
    assert!(missing_key.contains("missing field `batch_size`"), "{missing_key}");
    let negative = spoilt("metrics.json", &metrics.replace("8868855808", "-1"));
    assert!(negative.contains("metrics.json: invalid value"), "{negative}");
    let hostile = spoilt("run_cmd.txt", &run_cmd.replace("2048", "\"2048\""));
    assert!(
        hostile.contains("run_cmd.txt: resolved_spec") && hostile.contains("ring_len"),
        "{hostile}"
    );
    let no_ant = spoilt("run_cmd.txt", &run_cmd.replace("--ant", "--aunt"));
    assert!(no_ant.contains("argv has no --ant"), "{no_ant}");
}

/// `--ant=NAME` is as good a command line as `--ant NAME`.
#[test]
fn arguments_are_read_in_either_form() {
    let dir = copied(&SMALL[..1]);
    let row = dir.path().join(SMALL[0]);
    change(&row.join("run_cmd.txt"), |r| {
        r["argv"] = json!(["vram", "probe", "--ant=od1_canon_small", "--colony=od1_canon_real"]);
    });
    assert_eq!(fit_json(&row, &[])["tiers"][0]["name"], "small");
}

#[test]
fn a_newer_artifact_is_refused_with_what_to_do() {
    let dir = copied(&SMALL[..1]);
    let row = dir.path().join(SMALL[0]);
    change(&row.join("metrics.json"), |m| m["artifact_version"] = json!("vram_artifacts_v9"));
    let message = refused(&row);
    assert!(
        message.contains("artifact_version `vram_artifacts_v9` is not `vram_artifacts_v1`"),
        "{message}"
    );
    assert!(message.contains("newer one"), "{message}");
}

#[test]
fn a_missing_artifact_and_a_directory_without_runs_are_named() {
    let dir = copied(&SMALL[..1]);
    fs::remove_file(dir.path().join(SMALL[0]).join("run_cmd.txt")).unwrap();
    assert!(refused(&dir.path().join(SMALL[0])).contains("run_cmd.txt"));
    let empty = tempfile::tempdir().unwrap();
    assert!(refused(empty.path()).contains("no run in"));
    assert!(refused(&empty.path().join("nowhere")).contains("cannot read"));
}

/// Sizes whose product leaves 64 bits, in artifacts that agree with each other.
#[test]
fn sizes_that_overflow_are_refused() {
    let dir = copied(&SMALL[..1]);
    let row = dir.path().join(SMALL[0]);
    change(&row.join("run_cmd.txt"), |r| {
        r["resolved_spec"]["ant_spec"]["ring_len"] = json!(1u64 << 62);
    });
    agree(&row);
    let message = refused(&row);
    assert!(message.contains("exceeds 64 bits"), "{message}");
}
