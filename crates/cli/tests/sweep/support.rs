//! Sweeps in a directory of their own, of rows whose step takes milliseconds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use vram_artifacts::names;

pub const ANT: &str = r#"{"ring_len":64,"slot_dim":8,"ptr_dtype":"fp64","precision":"fp32"}"#;
pub const COLONY: &str =
    r#"{"seq_len":4,"synth_len":4,"batch_size":1,"ptr_update_every":1,"state_loop_samples":0}"#;
const VRAM: &str = env!("CARGO_BIN_EXE_vram");
pub const ROWS: [&str; 3] = ["A", "B", "C"];

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

pub struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// Three rows, A, B and C; the probe is a script that leaves the artifacts of a real one.
    pub fn scripted() -> Self {
        let sandbox = Self::with(&ROWS.map(|id| (id, ANT, COLONY, batch(id))));
        sandbox.probe_by(SCRIPT);
        for id in ROWS {
            leave_artifacts(id, &sandbox.path("templates").join(id));
        }
        sandbox
    }

    /// These rows (id, ant, colony, batch), and the probe itself.
    pub fn real(rows: &[(&str, &str, &str, u64)]) -> Self {
        let sandbox = Self::with(rows);
        fs::hard_link(VRAM, sandbox.path("vram"))
            .or_else(|_| fs::copy(VRAM, sandbox.path("vram")).map(drop))
            .unwrap();
        sandbox
    }

    fn with(rows: &[(&str, &str, &str, u64)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // What is named `vram` beside it is what it runs.
        // A file that is being written cannot be started, and what another test forks meanwhile has it open.
        let sweeper = dir.path().join("sweeper");
        fs::hard_link(VRAM, &sweeper).or_else(|_| fs::copy(VRAM, &sweeper).map(drop)).unwrap();
        let mut sweep = "name = \"mine\"\n[defaults]\nout_dim = 1\nprecision = \"fp32\"\namp = 0\n\
                         warmup_steps = 0\nmeasure_steps = 1\n"
            .to_owned();
        for (id, ant, colony, batch) in rows {
            sweep += &format!(
                "[[row]]\nid = \"{id}\"\nant = '{ant}'\ncolony = '{colony}'\nbatch = {batch}\n"
            );
        }
        fs::write(dir.path().join("mine.toml"), sweep).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A script in the probe's place.
    pub fn probe_by(&self, script: &str) {
        fs::write(self.path("vram"), script).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path("vram"), executable).unwrap();
    }

    pub fn trouble(&self, row: &str, script: &str) {
        fs::write(self.path(&format!("trouble-{row}")), script).unwrap();
    }

    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(self.path("sweeper"));
        command
            .args(["sweep", "--device", "cpu", "--sweep", "mine.toml", "--out", "out"])
            .args(more)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn sweep(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// Starts a sweep whose row B never ends, and waits until that runs.
    pub fn hanging(&self) -> (Child, Pid) {
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

    pub fn ran(&self) -> Vec<String> {
        let ran = fs::read_to_string(self.path("ran")).unwrap_or_default();
        ran.lines().map(str::to_owned).collect()
    }

    pub fn row(&self, row: &str) -> PathBuf {
        let found = fs::read_dir(self.path("out")).unwrap().map(|e| e.unwrap().path());
        let mut of_row = found.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(&format!("{row}_")) && !name.contains(names::ASIDE)
        });
        of_row.next().unwrap_or_else(|| panic!("no directory of row {row}"))
    }
}

/// The scripted rows differ in their batch.
fn batch(id: &str) -> u64 {
    ROWS.iter().position(|row| *row == id).unwrap() as u64 + 1
}

/// A real probe's artifacts.
fn leave_artifacts(id: &str, out: &Path) {
    let batch = batch(id).to_string();
    let output = Command::new(VRAM)
        .args(["probe", "--ant", ANT, "--colony", COLONY, "--device", "cpu"])
        .args(["--warmup-steps", "0", "--measure-steps", "1", "--row-id", id, "--batch", &batch])
        .arg("--output-dir")
        .arg(out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a process is gone, or about to be.
pub fn ends(pid: Pid) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        if test_kill_process(pid).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
