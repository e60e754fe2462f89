//! `vram dry-run`, on programs in C.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{command, sandbox, vram, vram_reading};
use crate::support::Ran;

/// A dry run with `--runs 4` of a program with its arguments.
fn dry_run(program: &str, arguments: &[&str]) -> Ran {
    let sandbox = sandbox(&[program]);
    let program = format!("./{program}");
    vram(&sandbox, &[&["dry-run", "--runs", "4", "--", &program], arguments].concat())
}

/// What is said of a program that ends well, all of it on stderr.
fn report(program: &str, arguments: &[&str]) -> String {
    let ran = dry_run(program, arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    ran.stderr
}

#[test]
fn an_exact_peak_is_shown_with_the_marks_of_the_program() {
    assert_snapshot!("dry_run_exact", report("reads", &["after"]));
}

#[test]
fn a_peak_that_depends_on_values_is_shown_with_its_range() {
    assert_snapshot!("dry_run_depends", report("reads", &["size"]));
}

#[test]
fn faults_of_a_program_are_shown() {
    assert_snapshot!("dry_run_wrong", report("frees", &["twice"]));
    assert_snapshot!("dry_run_no_room", report("too_much", &["direct", "1152921504606846976"]));
    assert_snapshot!("dry_run_alive", report("alive", &[]));
    assert_snapshot!("dry_run_not_modelled", report("asks", &["graph"]));
}

#[test]
fn a_program_without_a_verdict_is_told_why() {
    let ran = dry_run("opens", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert_snapshot!("dry_run_nothing", ran.stderr);
    let ran = dry_run("asks", &["tables"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no verdict      the program reaches the driver by tables"));
}

#[test]
fn a_program_that_fails_fails_the_dry_run() {
    let ran = dry_run("becomes", &["512", "./no-such-program"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("program         exit code 1, run 4 times"), "{}", ran.stderr);
    assert!(ran.stderr.contains("because       the program ended with exit code 1"));
}

#[test]
fn a_run_that_ends_otherwise_is_told_once_with_what_it_said() {
    let ran = dry_run("reads", &["course"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = "run 3, with zeros in place of computed values, ended with exit code 3";
    assert_eq!(ran.stderr.matches(told).count(), 1, "{}", ran.stderr);
    for said in ["verdict         same under 1 fill: ", "1 run with other values ended before"] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn two_runs_are_compared_with_no_other_values() {
    let sandbox = sandbox(&["asks"]);
    let ran = vram(&sandbox, &["dry-run", "--runs", "2", "--", "./asks", "free memory"]);
    for said in ["bytes, same in equal runs\n", "it asked once how much memory is free"] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn what_is_not_there_is_refused() {
    let sandbox = sandbox(&["opens"]);
    sandbox.write("two", "two");
    for (args, said) in [
        (&["dry-run", "--card", "h300", "--", "./opens"][..], "there is no card `h300`"),
        (&["dry-run", "--", "./closes"], "there is no program `./closes`"),
        (&["dry-run", "--cards", "17", "--", "./opens"], "a run has 1 to 16 cards, not 17"),
        (
            &["dry-run", "--lost-cards", "two", "--", "./opens"],
            "`two` in two is no card of the run, which has 1",
        ),
        (&["dry-run", "--runs", "0", "--", "./opens"], "invalid value '0'"),
        (&["dry-run", "--vram", "auto", "--", "./opens"], "say 24GiB"),
        (&["dry-run"], "required arguments were not provided"),
        (&["max-batch", "--card", "h300", "--", "./opens", "{}"], "there is no card `h300`"),
        (&["max-batch", "--", "./opens"], "no argument of the program has {}"),
        (&["max-batch", "--guard", "1.5", "--", "./opens", "{}"], "a ratio above 0"),
    ] {
        let ran = vram(&sandbox, args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn as_json_the_report_has_stdout_for_itself() {
    let sandbox = sandbox(&["echoes"]);
    sandbox.write("input", "a line of the program's\n");
    let args = ["dry-run", "--runs", "3", "--format", "json", "--", "./echoes"];
    let ran = vram_reading(&sandbox, "input", &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran.stderr.matches("a line of the program's\n").count(), 1, "{}", ran.stderr);
    assert_eq!(report["program"], json!(["./echoes"]));
    assert_eq!(report["card"]["memory_recorded"], true);
    assert_eq!(report["answer"]["verdict"], json!({ "kind": "exact" }));
    assert_eq!(report["answer"]["peak_used_bytes"], 24);
    assert_eq!(report["ending"], json!({ "code": 0, "signal": null }));
    assert_eq!(report["runs"].as_array().unwrap().len(), 3);
    assert_eq!(report["runs"][2]["fill"], "zeros");
}

#[test]
fn what_was_asked_for_of_the_card_is_shown() {
    let sandbox = sandbox(&["opens"]);
    let args = ["dry-run", "--card", "H200", "--vram", "24GiB", "--cards", "2", "--", "./opens"];
    let ran = vram(&sandbox, &args);
    assert!(
        ran.stderr.contains("2 x NVIDIA H200, 24.000 GiB, of a size that was asked for"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_program_on_several_cards_is_shown_with_each() {
    let sandbox = sandbox(&["streams"]);
    let args = ["dry-run", "--runs", "4", "--cards", "4", "--", "./streams"];
    let ran = vram(&sandbox, &args);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert_snapshot!("dry_run_cards", ran.stderr);
}

/// A program of which an allocation fails on a card that falls off the bus.
#[test]
fn a_card_that_falls_off_the_bus_is_told() {
    let sandbox = sandbox(&["becomes"]);
    sandbox.write("lost", "0@1");
    let args = ["dry-run", "--runs", "2", "--lost-cards", "lost"];
    let ran = vram(&sandbox, &[&args[..], &["--", "./becomes", "512", "./becomes"]].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("answered 999, not 0"), "{}", ran.stderr);
    assert!(ran.stderr.contains("off the bus     card 0, from some call on"), "{}", ran.stderr);
    let json = [&args[..], &["--format", "json", "--", "./becomes", "512", "./becomes"]].concat();
    let report: Value = serde_json::from_str(&vram(&sandbox, &json).stdout).unwrap();
    assert_eq!(report["lost_cards"], json!([0]));
}

/// The first run's output passes, and every run has the same input.
#[test]
fn every_run_reads_what_the_first_one_read() {
    let sandbox = sandbox(&["echoes"]);
    // More than a pipe holds.
    let line = "every run reads this\n";
    let input = line.repeat(20_000);
    sandbox.write("input", &input);
    let ran = vram_reading(&sandbox, "input", &["dry-run", "--", "./echoes"]);
    assert_eq!((ran.code, ran.stdout.len()), (Some(0), input.len()), "{}", ran.stderr);
    assert!(ran.stdout == input);
    // What later runs say is kept.
    assert_eq!(ran.stderr.matches(" bytes read\n").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("420,000 bytes, exact"), "{}", ran.stderr);
}

/// From a pipe that nobody closes, as a terminal is.
#[test]
fn a_program_that_reads_a_line_reads_it_in_every_run() {
    let sandbox = sandbox(&["first_line"]);
    for _ in 0..20 {
        let args = ["dry-run", "--runs", "3", "--", "./first_line"];
        let (input, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"5000\n").unwrap();
        let output = command(&sandbox, &args).stdin(input).output().unwrap();
        drop(writer);
        let ran = sandbox.ran(output);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("5,000 bytes, exact"), "{}", ran.stderr);
    }
}

#[test]
fn quiet_is_the_report_alone_and_verbose_is_more() {
    let sandbox = sandbox(&["reads"]);
    let said = |flags: &[&str]| {
        let args = [&["dry-run", "--runs", "2"], flags, &["--", "./reads", "after"]].concat();
        let ran = vram(&sandbox, &args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
        ran.stderr
    };
    let (quiet, usual, more) = (said(&["-q"]), said(&[]), said(&["-v"]));
    assert!(quiet.starts_with("virtual card    NVIDIA H100"), "{quiet}");
    assert_eq!(
        usual,
        format!("running ./reads 2 times on a virtual NVIDIA H100 80GB HBM3\n{quiet}")
    );
    assert!(!usual.contains("run 1 of 2") && more.contains("run 1 of 2"), "{more}");
}
