//! A machine with virtual cards, and the executables that run there.

use std::ffi::OsString;
use std::path::PathBuf;

use tempfile::TempDir;
use vram_artifacts::run_record::{RunRecord, read};
use vram_virtual_card::card::Card;
use vram_virtual_card::dry_run::{DryRun, Listener, Options, dry_run};
use vram_virtual_card::requests::Wanted;
use vram_virtual_card::run::{Invocation, Output, Run};

pub const VRAM: &str = env!("CARGO_BIN_EXE_vram");
pub const VRAM_CUDA: &str = env!("CARGO_BIN_EXE_vram-cuda");

/// DP1 of VRA-34, but for its batch.
pub const SMALL: [&str; 6] =
    ["--ant", "od1_canon_small", "--colony", "od1_canon_real", "--precision", "fp16"];

/// An ant and a colony whose plain step takes milliseconds.
pub const TINY: [&str; 4] = [
    "--ant",
    r#"{"ring_len":64,"slot_dim":8,"ptr_dtype":"fp64","precision":"fp32"}"#,
    "--colony",
    r#"{"seq_len":8,"synth_len":8,"batch_size":2,"ptr_update_every":1,"state_loop_samples":0}"#,
];

/// Virtual cards, and a directory to work in.
pub struct Machine {
    dir: TempDir,
    card: Card,
    /// `NAME=VALUE` for the program.
    variables: Vec<String>,
}

impl Machine {
    /// With one H100.
    pub fn new() -> Self {
        Self::with(Card::new("h100", None, 1).unwrap())
    }

    pub fn with(card: Card) -> Self {
        let variables = ["NO_COLOR=1", "RUST_BACKTRACE=0"].map(str::to_owned).to_vec();
        Self { dir: tempfile::tempdir().unwrap(), card, variables }
    }

    pub fn set(mut self, variable: &str) -> Self {
        self.variables.push(variable.to_owned());
        self
    }

    /// Cards that have fallen off the bus, or will.
    pub fn losing(mut self, named: &str) -> Self {
        let file = self.path("lost");
        std::fs::write(&file, named).unwrap();
        self.card = self.card.with_lost(&file).unwrap();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program and its arguments, with the variables.
    pub fn invocation(&self, program: &str, arguments: &[&str]) -> Invocation {
        let variables = self.variables.iter().map(String::as_str);
        let words = variables.chain([program]).chain(arguments.iter().copied());
        Invocation { program: "env".into(), arguments: words.map(OsString::from).collect() }
    }

    pub fn runs(&self, runs: usize, program: &str, arguments: &[&str]) -> DryRun {
        let invocation = self.invocation(program, arguments);
        let options = Options {
            invocation,
            card: self.card.clone(),
            runs,
            requests: Wanted::Nothing,
            output: Output::Kept,
        };
        dry_run(&options, &mut Silent).unwrap()
    }

    /// One run, and what it said.
    pub fn run(&self, program: &str, arguments: &[&str]) -> (Run, String) {
        let run = self.runs(1, program, arguments).runs.remove(0);
        let said = String::from_utf8(run.output.clone()).unwrap();
        (run, said)
    }

    /// A probe by `vram-cuda` into `out`, which ends well.
    pub fn probe(&self, out: &str, arguments: &[&str]) -> (Run, RunRecord) {
        let dir = self.path(out).display().to_string();
        let arguments = [&["-q", "probe", "--output-dir", &dir], arguments].concat();
        let (run, said) = self.run(VRAM_CUDA, &arguments);
        assert_eq!(run.ending.code(), Some(0), "{said}");
        (run, read(&self.path(out)).unwrap())
    }

    /// What a probe of DP1 with these arguments says on one line as it is refused; nothing is written.
    pub fn refusal(&self, program: &str, arguments: &[&str]) -> String {
        let dir = self.path("refused");
        let out = dir.display().to_string();
        let arguments = [&["probe", "--output-dir", &out], &SMALL[..], arguments].concat();
        let (run, said) = self.run(program, &arguments);
        assert_eq!(run.ending.code(), Some(2), "{said}");
        assert!(!dir.exists(), "something was written: {said}");
        let words = said.replace(['│', '╰', '─', '▶', '×'], " ");
        words.split_whitespace().collect::<Vec<_>>().join(" ").replace("- ", "-")
    }
}

/// Nobody is told, and nobody interrupts.
pub struct Silent;

impl Listener for Silent {
    fn begins(&mut self, _: usize, _: usize) {}
    fn failed(&mut self, _: usize, _: &Run) {}
    fn is_interrupted(&self) -> bool {
        false
    }
}

pub fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
}
