//! A sweep on a cluster whose commands are scripts; `.ci/slurm` does the same on a real one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use vram_artifacts::run_record::read;

use crate::support::{ANT, COLONY, Sandbox, text};

/// Takes jobs from number 11 on, and keeps what it was told.
const SBATCH: &str = r#"#!/bin/sh
here=$(dirname "$0")
[ ! -e "$here/refusal" ] || { cat "$here/refusal" >&2; exit 1; }
echo "$@" >> "$here/submitted"
echo $((10 + $(wc -l < "$here/submitted")));
"#;

/// Says what lies beside it, and what is said after that the next time.
const SQUEUE: &str = r#"#!/bin/sh
here=$(dirname "$0")
cat "$here/queue"
[ ! -e "$here/next" ] || mv "$here/next" "$here/queue"
"#;

const SCONTROL: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$*" in "show config") cat "$here/config" ;; *) cat "$here/jobs" ;; esac
"#;

/// Rows A, B and C, of which C is the largest, and a cluster.
fn cluster() -> Sandbox {
    let rows = [("A", 1), ("B", 2), ("C", 3)].map(|(id, batch)| (id, ANT, COLONY, batch));
    let sandbox = Sandbox::real(&rows);
    fs::create_dir(sandbox.path("cluster")).unwrap();
    for (name, script) in [("sbatch", SBATCH), ("squeue", SQUEUE), ("scontrol", SCONTROL)] {
        let path = sandbox.path("cluster").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, said) in [("queue", ""), ("config", "MaxArraySize = 1001\n"), ("jobs", "")] {
        fs::write(sandbox.path("cluster").join(name), said).unwrap();
    }
    sandbox
}

fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(sandbox.path("sweeper"));
    command
        .arg("sweep")
        .args(arguments)
        .current_dir(sandbox.path(""))
        .env("PATH", format!("{}:{path}", sandbox.path("cluster").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn vram(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    command(sandbox, arguments).output().unwrap()
}

const SUBMIT: [&str; 8] =
    ["--submit", "slurm", "--device", "cpu", "--sweep", "mine.toml", "--out", "out"];

fn submit(sandbox: &Sandbox, more: &[&str]) -> Output {
    vram(sandbox, &[&SUBMIT, more].concat())
}

fn said_by_slurm(sandbox: &Sandbox, queue: &str) {
    fs::write(sandbox.path("cluster/queue"), queue).unwrap();
}

fn submitted(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.path("cluster/submitted")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Does a task as Slurm does it: a copy of the script, in the run directory.
fn task(sandbox: &Sandbox, offset: u64, task: u64) {
    let copied = sandbox.path("cluster/copied");
    fs::copy(sandbox.path("out/slurm/task.sh"), &copied).unwrap();
    let mut command = Command::new("sh");
    command.arg(copied).arg(offset.to_string()).current_dir(sandbox.path("out"));
    command.env("SLURM_ARRAY_TASK_ID", task.to_string());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn rows_are_submitted_collected_and_submitted_again() {
    let sandbox = cluster();
    let output = submit(&sandbox, &["--row-timeout", "100", "--", "--qos=long"]);
    let (table, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(table.starts_with("job 11: tasks 0-2\ncollect: "), "{table}");
    assert!(table.ends_with("sweep --collect out\n"), "{table}");
    let told = submitted(&sandbox).remove(0);
    for word in ["--array=0-2 ", "--time=3 ", " --qos=long slurm/task.sh 0", "--mem=257M"] {
        assert!(told.contains(word), "no {word} in {told}");
    }
    assert_eq!(submit(&sandbox, &[]).status.code(), Some(2));

    // C ran, B runs, A waits.
    task(&sandbox, 0, 0);
    said_by_slurm(
        &sandbox,
        "11|0|COMPLETED|n1|None\n11|1|RUNNING|n1|None\n11|2|PENDING||Priority\n",
    );
    let output = vram(&sandbox, &["--collect", "out"]);
    let (table, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("PENDING: A\nRUNNING: B\n"), "{said}");
    assert!(table.contains("RUNNING (on n1), task 11_1"), "{table}");
    assert!(!said.contains("submitted again"), "{said}");
    let output = submit(&sandbox, &["--resume"]);
    assert!(text(&output.stderr).contains("nothing is left to submit"), "{output:?}");

    // B's time is up, and A failed without a word of its own.
    said_by_slurm(
        &sandbox,
        "11|1|TIMEOUT|n1|TimeLimit\n11|2|FAILED|n2|NonZeroExitCode\n11|0|COMPLETED|n1|None\n",
    );
    let failed = "JobId=14 ArrayJobId=11 ArrayTaskId=2 JobState=FAILED ExitCode=0:11 NodeList=n2\n";
    fs::write(sandbox.path("cluster/jobs"), failed).unwrap();
    let output = vram(&sandbox, &["--collect", "out", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let notes: Vec<&str> = json["unmeasured"].as_array().unwrap().iter().map(note).collect();
    let expected =
        ["FAILED (signal 11, on n2), task 11_2", "TIMEOUT (TimeLimit, on n1), task 11_1"];
    assert_eq!(notes, expected);
    let output = vram(&sandbox, &["--submit", "slurm", "--resume", "--out", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(submitted(&sandbox)[1].contains("--array=1-2 "), "{:?}", submitted(&sandbox));

    // Of the job before nobody speaks any more.
    for row in [1, 2] {
        task(&sandbox, 0, row);
    }
    said_by_slurm(&sandbox, "");
    let output = vram(&sandbox, &["--collect", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(read(&sandbox.row("A")).is_ok() && sandbox.path("out/report.md").is_file());

    // A finished row is measured again when it is named.
    let output = vram(&sandbox, &["--submit", "slurm", "--redo", "C", "--out", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(submitted(&sandbox)[2].contains("--array=0 "), "{:?}", submitted(&sandbox));
    let output = vram(&sandbox, &["--collect", "out"]);
    let said = text(&output.stderr);
    assert!(said.contains("missing: C\n") && said.contains("--submit slurm --resume"), "{said}");
}

fn note(row: &Value) -> &str {
    row["notes"].as_str().unwrap()
}

/// Arrays are as large as the cluster takes them, one after another where tasks are counted.
#[test]
fn a_plan_that_is_larger_than_an_array_is_several() {
    let sandbox = cluster();
    fs::write(sandbox.path("cluster/config"), "MaxArraySize            = 2\n").unwrap();
    let output = submit(&sandbox, &["--max-parallel", "1", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "job_id,offset,tasks\n11,0,0-1\n12,2,0\n");
    let told = submitted(&sandbox);
    assert!(told[0].contains("--array=0-1%1 ") && !told[0].contains("--dependency"), "{told:?}");
    assert!(told[1].contains("--array=0%1 ") && told[1].contains("--dependency=afterany:11 "));
    task(&sandbox, 2, 0);
    assert!(read(&sandbox.row("A")).is_ok());
    said_by_slurm(&sandbox, "12|0|CANCELLED||None\n11|0|NODE_FAIL|n7|NodeDown\n");
    let output = vram(&sandbox, &["--collect", "out"]);
    let said = text(&output.stderr);
    assert!(said.contains("NODE_FAIL: C\nmissing: B\n"), "{said}");
}

/// What is planned can be done without Slurm.
#[test]
fn without_slurm_the_plan_is_done_by_hand() {
    let sandbox = cluster();
    fs::create_dir(sandbox.path("nothing")).unwrap();
    let without = |arguments: &[&str]| {
        command(&sandbox, arguments).env("PATH", sandbox.path("nothing")).output().unwrap()
    };
    let output = without(&SUBMIT);
    let (lines, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is not on this machine"), "{said}");
    assert!(lines.contains("out/bin/vram sweep --row-index N out\n"), "{lines}");
    assert!(lines.contains("seq 0 2 | parallel") && lines.contains("hq submit --array 0-2"));
    let output = without(&["--collect", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not begun: 3 rows: A, B, C"), "{output:?}");
    for row in ["0", "1", "2"] {
        let output = without(&["--row-index", row, "out"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let output = without(&["--collect", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn what_slurm_refuses_is_told_and_the_plan_is_kept() {
    let sandbox = cluster();
    let refusal = sandbox.path("cluster/refusal");
    fs::write(&refusal, "sbatch: error: invalid partition specified: nowhere\n").unwrap();
    let output = submit(&sandbox, &["--partition", "nowhere"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("invalid partition specified: nowhere"), "{said}");
    assert!(said.contains("--submit slurm --resume --out out"), "{said}");
    fs::remove_file(refusal).unwrap();
    let output = vram(&sandbox, &["--submit", "slurm", "--resume", "--out", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let other = ["--submit", "slurm", "--resume", "--sweep", "smoke", "--out", "out"];
    let output = vram(&sandbox, &other);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("holds the plan of mine"), "{output:?}");
    let output = submit(&sandbox, &["--device", "cuda:1"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    for [flag, value] in [["--find-max", "--resume"], ["--collect", "out"], ["--row-index", "0"]] {
        assert_eq!(submit(&sandbox, &[flag, value]).status.code(), Some(2), "{flag}");
    }
}

#[test]
fn tasks_are_waited_for_and_go_on_without_who_waits() {
    let sandbox = cluster();
    assert_eq!(submit(&sandbox, &[]).status.code(), Some(0));
    for row in [0, 1, 2] {
        task(&sandbox, 0, row);
    }
    said_by_slurm(&sandbox, "11|0|RUNNING|n1|None\n");
    fs::write(sandbox.path("cluster/next"), "11|0|COMPLETED|n1|None\n").unwrap();
    let output = vram(&sandbox, &["--collect", "out", "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!sandbox.path("cluster/next").exists());

    said_by_slurm(&sandbox, "11|0|RUNNING|n1|None\n");
    fs::write(sandbox.path("cluster/next"), "11|0|RUNNING|n1|None\n").unwrap();
    let waiting = command(&sandbox, &["--collect", "out", "--wait"]).spawn().unwrap();
    wait_until_gone(&sandbox.path("cluster/next"));
    kill_process(Pid::from_child(&waiting), Signal::INT).unwrap();
    let output = waiting.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("the tasks go on") && said.contains("sweep --collect out"), "{said}");
}

fn wait_until_gone(path: &Path) {
    let began = Instant::now();
    while path.exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "{} is still there", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}
