//! A machine with a driver that has no card behind it, and what can be put on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// One executable in a directory of its own, `target/release`, and one directory to work in.
pub struct Machine {
    root: TempDir,
    executable: PathBuf,
}

impl Machine {
    pub fn new(executable: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        for dir in ["driver", "target/release", "work"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let name = Path::new(executable).file_name().unwrap();
        let copy = root.path().join("target/release").join(name);
        std::fs::copy(executable, &copy).unwrap();
        let machine = Self { root, executable: copy };
        machine.install_driver("");
        machine
    }

    /// Puts a driver in place, with `more` C code in it.
    pub fn install_driver(&self, more: &str) {
        let fake =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../metrics/tests/fake_driver/libcuda.c");
        let source = self.path("driver/more.c");
        std::fs::write(&source, more).unwrap();
        self.link_driver(&[fake, source]);
    }

    /// Puts a driver in place that these files make.
    pub fn link_driver(&self, sources: &[PathBuf]) {
        cc(Command::new("cc")
            .args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o"])
            .arg(self.path("driver/libcuda.so.1"))
            .args(sources));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs a probe with these variables.
    pub fn run(&self, device: &str, variables: &[(&str, &str)]) -> Output {
        let probe = ["probe", "--ant", "smoke_narrow", "--colony", "smoke_short"];
        self.run_any(
            &[&probe[..], &["--device", device, "--output-dir", "out"]].concat(),
            variables,
        )
    }

    /// Runs a command with these variables; of the machine that the test runs on, no toolkit is seen.
    pub fn run_any(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(&self.executable);
        command.args(args);
        command.current_dir(self.path("work"));
        command.env("LD_LIBRARY_PATH", self.path("driver")).env("NO_COLOR", "1");
        command.env("XDG_CACHE_HOME", self.path("cache"));
        for variable in ["CUDA_VISIBLE_DEVICES", "NVCC", "CUDA_HOME", "CUDA_PATH"] {
            command.env_remove(variable);
        }
        command.envs(variables.iter().copied()).output().unwrap()
    }

    /// What a probe says on one line as it is refused.
    pub fn refusal(&self, device: &str, variables: &[(&str, &str)]) -> String {
        self.refused(self.run(device, variables))
    }

    /// What was said on one line by a command that was refused and left nothing behind.
    pub fn refused(&self, output: Output) -> String {
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(!self.path("work/out").exists(), "something was written: {said}");
        let words = said.replace(['│', '╰', '─', '▶'], " ");
        // A line may end after a hyphen.
        words.split_whitespace().collect::<Vec<_>>().join(" ").replace("- ", "-")
    }
}

/// Runs the C compiler, which is needed here as it is for linking.
pub fn cc(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
}
