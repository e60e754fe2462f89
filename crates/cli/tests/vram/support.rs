//! One way to run `vram`: in an empty directory of its own, away from any presets folder, with
//! nothing in the environment that changes what it prints.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

/// An ant whose step takes milliseconds.
pub const ANT: &str = r#"{"ring_len":256,"slot_dim":32,"ptr_dtype":"fp64","precision":"fp32"}"#;

/// A colony to go with it: the tape is 2 * 32 * 256 * 32 * 4 bytes = 2 MiB.
pub const COLONY: &str =
    r#"{"seq_len":64,"synth_len":32,"batch_size":2,"ptr_update_every":1,"state_loop_samples":0}"#;

/// A directory to run `vram` in.
pub struct Sandbox {
    dir: TempDir,
}

/// What a run of `vram` left.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Every file in the directory, with its bytes; directories have none.
    pub fn contents(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        collect(self.dir.path(), &mut found);
        found
    }

    /// `vram` with these arguments, about to run.
    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let vram = cargo_bin_cmd!("vram");
        let mut command = std::process::Command::new(vram.get_program());
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            // On a machine with a card, too, these tests are about the CPU.
            .env("CUDA_VISIBLE_DEVICES", "")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    pub fn vram(&self, args: &[&str]) -> Ran {
        self.ran(self.command(args).output().unwrap())
    }

    /// What a process left that ran here.
    pub fn ran(&self, output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: self.redact(&String::from_utf8(output.stdout).unwrap()),
            stderr: self.redact(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// A probe of the small workload, with more arguments.
    pub fn probe(&self, args: &[&str]) -> Ran {
        self.vram(&[&probe_args(), args].concat())
    }

    /// The text without what differs from one sandbox to the next.
    fn redact(&self, text: &str) -> String {
        text.replace(&self.dir.path().display().to_string(), "[dir]")
    }
}

/// Arguments of a probe of the small workload, but for its output directory.
pub fn probe_args() -> [&'static str; 5] {
    ["probe", "--ant", ANT, "--colony", COLONY]
}

fn collect(dir: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
            found.insert(path, None);
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, Some(bytes));
        }
    }
}
