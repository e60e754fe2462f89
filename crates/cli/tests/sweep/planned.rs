//! Rows of a plan, each measured by itself as a task.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use vram_artifacts::run_record::read;
use vram_artifacts::task::{TaskOutcome, TaskRecord};
use vram_presets::library::Library;
use vram_sweep::planned::{self, Options};
use vram_workload::device_kind::DeviceKind;

use crate::support::{ROWS, Sandbox, ends, text};

/// Plans the sandbox's rows in `out`, of which C is the largest and first.
fn planned(row_timeout: Option<Duration>) -> Sandbox {
    let sandbox = Sandbox::scripted();
    let options = Options {
        sweep: sandbox.path("mine.toml").display().to_string(),
        kind: DeviceKind::Cpu,
        only: Vec::new(),
        out: Some(sandbox.path("out")),
        no_preflight: false,
        row_timeout,
    };
    let carried = |_| Ok(vec![sandbox.path("vram"), sandbox.path("templates")]);
    let planned = planned::write(&options, &Library::built_in(), &carried).unwrap();
    let indexes: Vec<u64> = planned.plan.rows.iter().map(|row| row.index).collect();
    assert_eq!(indexes, [2, 1, 0]);
    // The script does what its row's trouble says, which lies beside it.
    for row in ROWS {
        let template = planned.dir.join("bin/templates").join(row);
        fs::create_dir_all(&template).unwrap();
        for file in fs::read_dir(sandbox.path("templates").join(row)).unwrap() {
            let file = file.unwrap().path();
            fs::copy(&file, template.join(file.file_name().unwrap())).unwrap();
        }
    }
    sandbox
}

fn task(sandbox: &Sandbox, dir: &str, index: u64) -> Command {
    let mut command = Command::new(sandbox.path("sweeper"));
    command.args(["sweep", "--row-index", &index.to_string()]).arg(sandbox.path(dir));
    command.env("SLURM_JOB_ID", "17").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn done(sandbox: &Sandbox, dir: &str, index: u64) -> Output {
    task(sandbox, dir, index).output().unwrap()
}

fn ran(sandbox: &Sandbox, dir: &str) -> String {
    fs::read_to_string(sandbox.path(dir).join("bin/ran")).unwrap_or_default()
}

/// Wherever the directory is, in any order, each once.
#[test]
fn rows_are_measured_one_by_one_where_their_directory_is() {
    let sandbox = planned(None);
    fs::rename(sandbox.path("out"), sandbox.path("moved")).unwrap();
    for index in [1, 0, 2, 1] {
        let output = done(&sandbox, "moved", index);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    assert_eq!(ran(&sandbox, "moved"), "B\nC\nA\n");
    fs::rename(sandbox.path("moved"), sandbox.path("out")).unwrap();
    let row = sandbox.row("A");
    let record = TaskRecord::read(&row).unwrap();
    assert_eq!((record.index, record.outcome), (2, Some(TaskOutcome::Measured)));
    assert_eq!(record.environment["SLURM_JOB_ID"], "17");
    assert!(read(&row).is_ok());
}

#[test]
fn a_task_that_is_not_planned_is_refused() {
    let sandbox = planned(None);
    let output = done(&sandbox, "out", 3);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("has no row of index 3") && said.contains("3, counted from 0"), "{said}");
    let output = done(&sandbox, "templates", 0);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("no rows are planned in"), "{said}");
    assert_eq!(done(&sandbox, "nowhere", 0).status.code(), Some(2));
}

/// What a task is ended by, and why a row has nothing, is told by its exit code and in its row; the
/// next task of the row sets the attempt aside.
#[test]
fn a_row_that_is_lost_says_why_and_is_done_again() {
    let sandbox = planned(Some(Duration::from_secs(1)));
    fs::write(sandbox.path("out/bin/trouble-B"), "exec sleep 60").unwrap();
    let output = done(&sandbox, "out", 1);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let row: PathBuf = sandbox.row("B");
    let record = TaskRecord::read(&row).unwrap();
    assert_eq!(record.outcome, Some(TaskOutcome::Lost));
    assert_eq!(record.why.as_deref(), Some("ended after --row-timeout 1"));
    fs::remove_file(sandbox.path("out/bin/trouble-B")).unwrap();
    assert_eq!(done(&sandbox, "out", 1).status.code(), Some(0));
    let aside = PathBuf::from(format!("{}.unfinished-1", row.display()));
    assert_eq!(TaskRecord::read(&aside), Some(record));
    assert!(read(&row).is_ok());
}

/// Slurm ends a task with SIGTERM, and begins it again somewhere else. Meanwhile the row is its own,
/// and no sweep begins in the directory.
#[test]
fn a_task_that_is_ended_ends_its_row() {
    let sandbox = planned(None);
    fs::write(sandbox.path("out/bin/trouble-B"), "exec sleep 60").unwrap();
    let running = task(&sandbox, "out", 1).spawn().unwrap();
    let began = Instant::now();
    let pid = sandbox.path("out/bin/pid");
    while fs::read(&pid).unwrap_or_default().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "row B never started");
        std::thread::sleep(Duration::from_millis(10));
    }
    let child = fs::read_to_string(pid).unwrap();
    let child = Pid::from_raw(child.trim().parse().unwrap()).unwrap();
    let refused = done(&sandbox, "out", 1);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("process {}", running.id())), "{said}");
    assert_eq!(done(&sandbox, "out", 0).status.code(), Some(0));
    let refused = sandbox.sweep(&["--resume"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains("a task of a planned row"), "{said}");

    kill_process(Pid::from_child(&running), Signal::TERM).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", text(&output.stderr));
    assert!(ends(child), "the row's process is still there");
    let record = TaskRecord::read(&sandbox.row("B")).unwrap();
    assert_eq!(record.outcome, Some(TaskOutcome::Interrupted));
    fs::remove_file(sandbox.path("out/bin/trouble-B")).unwrap();
    assert_eq!(done(&sandbox, "out", 1).status.code(), Some(0));
}
