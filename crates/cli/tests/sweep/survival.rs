//! What a sweep keeps when its rows, or itself, are ended.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use vram_artifacts::run_record::read;

use crate::support::{Sandbox, ends, text};

#[test]
fn a_killed_row_is_named_and_only_it_is_done_again() {
    let sandbox = Sandbox::scripted();
    sandbox.trouble("B", "echo half > \"$out/run_cmd.txt\"; kill -9 $$");
    let output = sandbox.sweep(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("LOST  crashed with SIGKILL"), "{said}");
    assert!(said.contains("--sweep mine.toml --out out --resume"), "{said}");
    assert_eq!(sandbox.ran(), ["A", "B", "C"]);
    assert!(read(&sandbox.row("A")).is_ok() && read(&sandbox.row("C")).is_ok());

    fs::remove_file(sandbox.path("trouble-B")).unwrap();
    let output = sandbox.sweep(&["--resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(sandbox.ran(), ["A", "B", "C", "B"]);
    assert!(read(&sandbox.row("B")).is_ok());
    let aside = PathBuf::from(format!("{}.unfinished-1", sandbox.row("B").display()));
    assert_eq!(fs::read_to_string(aside.join("run_cmd.txt")).unwrap(), "half\n");
}

#[test]
fn a_row_that_leaves_garbage_is_lost_and_the_next_runs() {
    let sandbox = Sandbox::scripted();
    for (row, trouble) in [
        (
            "A",
            "cp \"$here/templates/A/\"* \"$out\"; echo '{\"half\":' > \"$out/metrics.json\"; exit 0",
        ),
        ("B", "exit 0"),
    ] {
        sandbox.trouble(row, trouble);
    }
    let output = sandbox.sweep(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("left no readable artifacts").count(), 4, "{said}");
    assert!(read(&sandbox.row("C")).is_ok());
}

#[test]
fn a_signal_ends_the_child_and_keeps_what_is_finished() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let sandbox = Sandbox::scripted();
        let (sweep, child) = sandbox.hanging();
        kill_process(Pid::from_child(&sweep), signal).unwrap();
        let output = sweep.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(ends(child), "the row's process is still there");
        assert!(said.contains("--sweep mine.toml --out out --resume"), "{said}");
        // The table so far, with the finished row in it.
        let table = text(&output.stdout);
        assert!(table.contains("│ A ") && table.contains("not started: the sweep was"), "{table}");
        assert!(said.contains("failed B: interrupted\nnot started: C\n"), "{said}");
        assert_eq!(sandbox.ran(), ["A", "B"]);

        fs::remove_file(sandbox.path("trouble-B")).unwrap();
        assert_eq!(sandbox.sweep(&["--resume"]).status.code(), Some(0));
        assert_eq!(sandbox.ran(), ["A", "B", "B", "C"]);
    }
}

/// Rows that were not measured are named, and no table is empty.
#[test]
fn what_an_interrupt_left_undone_is_named_without_empty_tables() {
    let sandbox = Sandbox::scripted();
    sandbox.trouble("A", "kill -2 $PPID; exec sleep 60");
    let output = sandbox.sweep(&[]);
    let (table, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("[1/3] A      interrupted\n"), "{said}");
    assert!(said.contains("failed A: interrupted\nnot started: B, C\n"), "{said}");
    assert!(table.contains("│ A ") && table.contains("│ C "), "{table}");
    assert_eq!(table.matches('┌').count(), 1, "{table}");
    assert!(!table.contains("pooled"), "{table}");
}

#[test]
fn a_quiet_sweep_prints_its_result_alone() {
    for more in [["--format", "csv"], ["--format", "json"], ["--format", "table"]] {
        let output = Sandbox::scripted().sweep(&[&["--quiet"], &more[..]].concat());
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
        let result = text(&output.stdout);
        match more[1] {
            "csv" => assert_eq!(result.lines().count(), 4, "{result}"),
            "json" => {
                let json: serde_json::Value = serde_json::from_str(&result).unwrap();
                assert_eq!(json["ring"]["rows"].as_array().unwrap().len(), 3, "{result}");
            }
            _ => assert!(result.contains("│ C "), "{result}"),
        }
    }
}

/// Nobody is left to end the child: the system does.
#[test]
fn a_killed_sweep_leaves_no_orphan_and_no_lock() {
    let sandbox = Sandbox::scripted();
    let (mut sweep, child) = sandbox.hanging();
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    assert!(ends(child), "the row's process outlived its sweep");
    fs::remove_file(sandbox.path("trouble-B")).unwrap();
    let output = sandbox.sweep(&["--resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_second_sweep_in_the_directory_is_refused_with_the_firsts_process() {
    let sandbox = Sandbox::scripted();
    let (mut sweep, _) = sandbox.hanging();
    let second = sandbox.sweep(&["--resume"]);
    let said = text(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("process {}", sweep.id())), "{said}");
    sweep.kill().unwrap();
    sweep.wait().unwrap();
}

#[test]
fn a_row_that_takes_too_long_is_ended() {
    let sandbox = Sandbox::scripted();
    sandbox.trouble("B", "exec sleep 60");
    let output = sandbox.sweep(&["--row-timeout", "1"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("B      LOST  ended after --row-timeout 1"), "{said}");
    assert_eq!(sandbox.ran(), ["A", "B", "C"]);
}

/// Whoever removes the run directory loses what was in it, and nothing else: the next row runs, the
/// table has all that was measured, and --resume does the rest again.
#[test]
fn a_directory_that_is_removed_meanwhile_loses_what_was_in_it() {
    let sandbox = Sandbox::scripted();
    sandbox.trouble("B", "rm -r \"$(dirname \"$out\")\"");
    let output = sandbox.sweep(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("B      LOST  "), "{said}");
    let table = text(&output.stdout);
    assert!(table.contains("│ A ") && table.contains("│ C "), "{table}");
    assert!(read(&sandbox.row("C")).is_ok());

    fs::remove_file(sandbox.path("trouble-B")).unwrap();
    let output = sandbox.sweep(&["--resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(sandbox.ran(), ["A", "B", "C", "A", "B"]);
}

/// Who closes the terminal of a sweep that was told to stay takes its stderr and stdout away.
#[test]
fn a_sweep_outlives_its_terminal() {
    let sandbox = Sandbox::scripted();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = sandbox.command(&[]);
    command.stderr(writer.try_clone().unwrap()).stdout(writer);
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert!(["A", "B", "C"].iter().all(|row| read(&sandbox.row(row)).is_ok()));
    assert!(sandbox.path("out/report.md").exists());
    assert!(sandbox.path("out/report.html").exists());
}

/// The terminal is closed on a sweep that was not: the system ends it, and its row.
#[test]
fn a_closed_terminal_leaves_no_orphan() {
    let sandbox = Sandbox::scripted();
    let (mut sweep, child) = sandbox.hanging();
    kill_process(Pid::from_child(&sweep), Signal::HUP).unwrap();
    sweep.wait().unwrap();
    assert!(ends(child), "the row's process outlived its terminal");
    fs::remove_file(sandbox.path("trouble-B")).unwrap();
    assert_eq!(sandbox.sweep(&["--resume"]).status.code(), Some(0));
    assert_eq!(sandbox.ran(), ["A", "B", "B", "C"]);
}
