//! `vram dry-run --stacks`, on a program in C that asks for memory as a training step does.

use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{programs, vram};
use crate::support::{Ran, Sandbox};

/// A sandbox in which `./trains` has debug information, and `./stripped` nothing.
pub fn sandbox() -> Sandbox {
    let sandbox = super::sandbox(&[]);
    symlink(programs::with_lines("trains"), sandbox.path("trains")).unwrap();
    symlink(programs::stripped("trains"), sandbox.path("stripped")).unwrap();
    sandbox
}

pub fn dry_run(sandbox: &Sandbox, flags: &[&str], program: &str) -> Ran {
    let ran = vram(sandbox, &[&["dry-run", "--runs", "2"], flags, &["--", program]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

#[test]
fn what_is_alive_at_the_peak_is_ranked_by_the_programs_functions() {
    let ran = dry_run(&sandbox(), &["--stacks"], "./trains");
    assert_snapshot!("stacks", ran.stderr);
}

#[test]
fn a_report_is_markdown_where_that_is_asked_for() {
    let ran = dry_run(&sandbox(), &["--stacks", "--format", "markdown"], "./trains");
    assert_snapshot!("stacks_markdown", ran.stdout);
}

#[test]
fn places_are_told_to_programs() {
    let sandbox = sandbox();
    let ran = dry_run(&sandbox, &["--stacks", "--format", "json"], "./trains");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = &report["places"];
    assert_eq!(found["peak_bytes"], report["answer"]["peak_used_bytes"]);
    assert_eq!(found["peak_at_request"], report["answer"]["peak_at_request"]);
    let places = found["places"].as_array().unwrap();
    let told = |key: &str| places.iter().map(|place| place[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("function"), ["main", "layer", "load", "backward"].map(|name| json!(name)));
    assert_eq!(told("bytes"), [8 << 20, 6 << 20, 4 << 20, 2 << 20].map(|bytes| json!(bytes)));
    assert_eq!(told("allocations"), [1, 3, 1, 2].map(|number| json!(number)));
    let classes = ["optimizer", "activations", "parameters", "gradients"];
    assert_eq!(told("class"), classes.map(|class| json!(class)));
    assert!(places[1]["file"].as_str().unwrap().ends_with("trains.c") && places[1]["line"] == 13);

    let without = dry_run(&sandbox, &["--format", "json"], "./trains");
    let report: Value = serde_json::from_str(&without.stdout).unwrap();
    assert!(report.get("places").is_none());
}

#[test]
fn a_stripped_program_is_told_by_module_and_offset() {
    let ran = dry_run(&sandbox(), &["--stacks", "--format", "json"], "./stripped");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let places = report["places"]["places"].as_array().unwrap();
    assert_eq!(places.len(), 4, "{places:?}");
    for place in places {
        let (module, offset) = place["function"].as_str().unwrap().split_once("+0x").unwrap();
        assert_eq!(module, "trains_stripped");
        assert!(u64::from_str_radix(offset, 16).is_ok() && place["line"].is_null());
    }
}

#[test]
fn stacks_are_folded_for_flame_graphs() {
    let sandbox = sandbox();
    dry_run(&sandbox, &["--folded", "peak.folded"], "./trains");
    let folded = sandbox.read("peak.folded");
    let line = |end: &str| folded.lines().find(|line| line.ends_with(end)).unwrap_or_default();
    assert!(line(" 6291456").ends_with(";main;forward;layer 6291456"), "{folded}");
    assert!(line(" 4194304").ends_with(";main;load 4194304"), "{folded}");
    let sum: u64 =
        folded.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 20 << 20);
}

#[test]
fn a_page_holds_all_that_it_shows() {
    let sandbox = sandbox();
    dry_run(&sandbox, &["--html", "peak.html"], "./trains");
    let page = sandbox.read("peak.html");
    for part in ["<h1>GPU memory of ./trains</h1>", "trains.c:13", "\"forward\"", "<canvas"] {
        assert!(page.contains(part), "{part}");
    }
    for fetched in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(fetched), "{fetched}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_runs() {
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.path("dir.html")).unwrap();
    for (flags, said) in [
        (["--folded", "no/such/peak.folded"], "cannot write no/such/peak.folded"),
        (["--html", "no/such/peak.html"], "cannot write no/such/peak.html"),
        (["--html", "dir.html"], "it is a directory"),
        (["--html", "peak.svg"], "expected a file name that ends in .html"),
    ] {
        let ran = vram(&sandbox, &[&["dry-run"], &flags[..], &["--", "./trains"]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(said) && !ran.stderr.contains("running"), "{}", ran.stderr);
    }
}
