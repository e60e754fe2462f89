//! What a sweep keeps when its rows, or itself, are ended. The probe is a script that leaves the
//! artifacts of a real one.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use vram_cli::artifacts;

#[global_allocator]
static ALLOC: vram_metrics::HostAllocator = vram_metrics::HostAllocator;

const ANT: &str = r#"{"ring_len":64,"slot_dim":8,"ptr_dtype":"fp64","precision":"fp32"}"#;
const COLONY: &str =
    r#"{"seq_len":4,"synth_len":4,"batch_size":1,"ptr_update_every":1,"state_loop_samples":0}"#;
const ROWS: [&str; 3] = ["A", "B", "C"];

/// Notes its process and its row, then does what the row's trouble says, then leaves artifacts.
const SCRIPT: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in --row-id) row=$2 ;; --output-dir) out=$2 ;; esac
    shift
done
here=$(dirname "$0")
echo "$row" >> "$here/ran"
echo $$ > "$here/pid"
mkdir -p "$out"
[ ! -e "$here/trouble-$row" ] || . "$here/trouble-$row"
cp "$here/templates/$row/"* "$out"
"#;

struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::copy(env!("CARGO_BIN_EXE_xtask"), path("xtask")).unwrap();
        fs::write(path("vram"), SCRIPT).unwrap();
        fs::set_permissions(path("vram"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut sweep = "name = \"mine\"\n[defaults]\nout_dim = 1\nprecision = \"fp32\"\namp = 0\n\
                         warmup_steps = 0\nmeasure_steps = 1\n"
            .to_owned();
        for (i, id) in ROWS.iter().enumerate() {
            let batch = i + 1;
            sweep += &format!(
                "[[row]]\nid = \"{id}\"\nant = '{ANT}'\ncolony = '{COLONY}'\nbatch = {batch}\n"
            );
            let out = path("templates").join(id);
            probe(id, &batch.to_string(), &out);
        }
        fs::write(path("mine.toml"), sweep).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn trouble(&self, row: &str, script: &str) {
        fs::write(self.path(&format!("trouble-{row}")), script).unwrap();
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(self.path("xtask"));
        command
            .args([
                "sweep",
                "--no-build",
                "--device",
                "cpu",
                "--sweep",
                "mine.toml",
                "--out",
                "out",
            ])
            .args(more)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn sweep(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// Starts a sweep whose row B never ends, and waits until that runs.
    fn hanging(&self) -> (Child, Pid) {
        self.trouble("B", "exec sleep 60");
        let sweep = self.command(&[]).spawn().unwrap();
        let began = Instant::now();
        while self.ran() != ["A", "B"] || fs::read(self.path("pid")).unwrap().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(30), "row B never started");
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = fs::read_to_string(self.path("pid")).unwrap();
        (sweep, Pid::from_raw(pid.trim().parse().unwrap()).unwrap())
    }

    fn ran(&self) -> Vec<String> {
        let ran = fs::read_to_string(self.path("ran")).unwrap_or_default();
        ran.lines().map(str::to_owned).collect()
    }

    fn row(&self, row: &str) -> PathBuf {
        let found = fs::read_dir(self.path("out")).unwrap().map(|e| e.unwrap().path());
        let mut of_row = found.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(&format!("{row}_")) && !name.contains("unfinished")
        });
        of_row.next().unwrap_or_else(|| panic!("no directory of row {row}"))
    }
}

/// A real probe's artifacts.
fn probe(id: &str, batch: &str, out: &Path) {
    let words = ["vram", "probe", "--ant", ANT, "--colony", COLONY, "--device", "cpu"];
    let steps = ["--warmup-steps", "0", "--measure-steps", "1", "--row-id", id, "--batch", batch];
    let words = words.iter().chain(&steps).map(|w| (*w).to_owned());
    let words = words.chain(["--output-dir".to_owned(), out.display().to_string()]);
    let args = <vram_cli::Args as clap::Parser>::parse_from(words);
    vram_cli::commands::run(&args).unwrap();
    // The arguments that a record is read by are this process's; a probe's are its own.
    let run_cmd = out.join("run_cmd.txt");
    let mut json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&run_cmd).unwrap()).unwrap();
    json["argv"] = serde_json::json!(["vram", "probe", "--ant", ANT, "--colony", COLONY]);
    fs::write(run_cmd, json.to_string()).unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a process is gone, or about to be.
fn ends(pid: Pid) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        if test_kill_process(pid).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn a_killed_row_is_named_and_only_it_is_done_again() {
    let sandbox = Sandbox::new();
    sandbox.trouble("B", "echo half > \"$out/run_cmd.txt\"; kill -9 $$");
    let output = sandbox.sweep(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("LOST  probe ended with signal 9"), "{said}");
    assert!(said.contains("cargo xtask sweep --out out --resume"), "{said}");
    assert_eq!(sandbox.ran(), ["A", "B", "C"]);
    assert!(
        artifacts::read(&sandbox.row("A")).is_ok() && artifacts::read(&sandbox.row("C")).is_ok()
    );

    fs::remove_file(sandbox.path("trouble-B")).unwrap();
    let output = sandbox.sweep(&["--resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(sandbox.ran(), ["A", "B", "C", "B"]);
    assert!(artifacts::read(&sandbox.row("B")).is_ok());
    let aside = PathBuf::from(format!("{}.unfinished-1", sandbox.row("B").display()));
    assert_eq!(fs::read_to_string(aside.join("run_cmd.txt")).unwrap(), "half\n");
}

#[test]
fn a_row_that_leaves_garbage_is_lost_and_the_next_runs() {
    let sandbox = Sandbox::new();
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
    assert!(artifacts::read(&sandbox.row("C")).is_ok());
}

#[test]
fn a_signal_ends_the_child_and_keeps_what_is_finished() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let sandbox = Sandbox::new();
        let (sweep, child) = sandbox.hanging();
        kill_process(Pid::from_child(&sweep), signal).unwrap();
        let output = sweep.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(ends(child), "the row's process is still there");
        assert!(said.contains("cargo xtask sweep --out out --resume"), "{said}");
        // The table so far, with the finished row in it.
        let table = text(&output.stdout);
        assert!(table.contains("│ A ") && table.contains("not run: the sweep was"), "{table}");
        assert_eq!(sandbox.ran(), ["A", "B"]);

        fs::remove_file(sandbox.path("trouble-B")).unwrap();
        assert_eq!(sandbox.sweep(&["--resume"]).status.code(), Some(0));
        assert_eq!(sandbox.ran(), ["A", "B", "B", "C"]);
    }
}

/// Nobody is left to end the child: the system does.
#[test]
fn a_killed_sweep_leaves_no_orphan_and_no_lock() {
    let sandbox = Sandbox::new();
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
    let sandbox = Sandbox::new();
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
    let sandbox = Sandbox::new();
    sandbox.trouble("B", "exec sleep 60");
    let output = sandbox.sweep(&["--row-timeout", "1"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("B      LOST  ended after --row-timeout 1"), "{said}");
    assert_eq!(sandbox.ran(), ["A", "B", "C"]);
}
