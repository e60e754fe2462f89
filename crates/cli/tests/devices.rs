//! Every way in which a card can be missing, on a machine without one: each is one message that
//! says what to do, exit code 2, and nothing written.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A directory with a driver that has no card behind it.
fn fake_driver() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_driver/libcuda.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(dir.path().join("libcuda.so.1"))
        .arg(source)
        .status()
        .unwrap();
    assert!(status.success(), "a C compiler is needed, as it is for linking");
    dir
}

/// `executable` without anything else beside it.
fn alone(executable: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join(Path::new(executable).file_name().unwrap());
    std::fs::copy(executable, &copy).unwrap();
    (dir, copy)
}

struct Machine {
    driver: TempDir,
    _place: TempDir,
    executable: PathBuf,
    work: TempDir,
}

impl Machine {
    fn new(executable: &str) -> Self {
        let (place, executable) = alone(executable);
        let work = tempfile::tempdir().unwrap();
        Self { driver: fake_driver(), _place: place, executable, work }
    }

    fn run(&self, device: &str, variables: &[(&str, &str)]) -> Output {
        let probe = ["probe", "--ant", "smoke_narrow", "--colony", "smoke_short"];
        Command::new(&self.executable)
            .args(probe)
            .args(["--device", device, "--output-dir", "out"])
            .current_dir(self.work.path())
            .env("LD_LIBRARY_PATH", self.driver.path())
            .env("NO_COLOR", "1")
            .env_remove("CUDA_VISIBLE_DEVICES")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// What it says on one line as it refuses.
    fn refusal(&self, device: &str, variables: &[(&str, &str)]) -> String {
        let output = self.run(device, variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(!self.work.path().join("out").exists(), "something was written: {said}");
        said.replace(['│', '╰', '─', '▶'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
}

#[test]
fn vram_says_what_is_missing() {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram"));
    let none = machine.refusal("cuda", &[("FAKE_INIT", "100")]);
    has(&none, &["shows no card to this process", "nvidia-smi", "--device cpu"]);
    let hidden = machine.refusal("cuda", &[("FAKE_INIT", "100"), ("CUDA_VISIBLE_DEVICES", "")]);
    has(&hidden, &["CUDA_VISIBLE_DEVICES is ``", "unset CUDA_VISIBLE_DEVICES"]);
    let third = machine.refusal("cuda:2", &[("FAKE_CARDS", "2")]);
    has(&third, &["there is no cuda:2: this process sees 2 cards, cuda:0 to cuda:1"]);
    let broken = machine.refusal("cuda", &[("FAKE_INIT", "999")]);
    has(&broken, &["cuInit failed: a fake error (CUDA error 999)", "nvidia-smi"]);
    let unbuilt = machine.refusal("cuda", &[]);
    has(&unbuilt, &["no CUDA probe", "vram-cuda is not there", "cargo xtask sweep"]);
}

#[test]
fn auto_falls_back_to_the_cpu_and_says_why() {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram"));
    let output = machine.run("auto", &[("FAKE_INIT", "100")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    has(&said, &["running on the CPU: the NVIDIA driver shows no card to this process"]);
}

/// The executable for cards refuses by itself, too: it may be started without `vram`.
#[cfg(feature = "cuda")]
#[test]
fn vram_cuda_refuses_what_it_cannot_run_on() {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram-cuda"));
    let old = machine.refusal("cuda", &[("FAKE_VERSION", "11040")]);
    has(&old, &["the NVIDIA driver supports CUDA 11.4 and this build needs", "update the driver"]);
    let newer = machine.refusal("cuda", &[("FAKE_MAJOR", "5"), ("FAKE_MINOR", "2")]);
    has(&newer, &["this build is for cards of compute capability", "Fake Card has 5.2"]);
    has(&newer, &["cargo xtask sweep --compute-cap 5.2"]);
    let cpu = machine.refusal("cpu", &[]);
    has(&cpu, &["vram-cuda does not run on the CPU"]);
    let third = machine.refusal("cuda:1", &[]);
    has(&third, &["there is no cuda:1: this process sees one card, cuda:0"]);
}

/// The fake driver has no memory pools: what asks for one panics, and no panic reaches a user.
#[cfg(feature = "cuda")]
#[test]
fn a_panic_is_told_with_its_log() {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram-cuda"));
    let logs = tempfile::tempdir().unwrap();
    let temporary = logs.path().to_str().unwrap();
    let output = machine.run("cuda", &[("FAKE_VERSION", "99000"), ("TMPDIR", temporary)]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    has(&said, &["stopped unexpectedly: Missing symbol", "please report it with"]);
    assert!(!said.contains("panicked at"), "{said}");
    let log = std::fs::read_dir(logs.path()).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read_to_string(log).unwrap().contains("panicked at"));
}
