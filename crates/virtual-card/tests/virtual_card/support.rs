//! Programs: how they are built without NVIDIA's libraries, and run.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use vram_virtual_card::card::Card;
use vram_virtual_card::dry_run::{Answer, DryRun, Listener, Options, dry_run};
use vram_virtual_card::recording::Process;
use vram_virtual_card::run::{Invocation, Output, Run};
use vram_virtual_card::verdict::Refusal;

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// What a pool grows by.
pub const GRANULE: u64 = 32 * MIB;

/// Where everything lies that is built here, and what the library unpacks.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("virtual_card");
    fs::create_dir_all(&built).unwrap();
    // SAFETY: whatever reads the environment of this process does so by the standard library, which
    // locks it.
    unsafe {
        std::env::set_var("XDG_CACHE_HOME", built.join("cache"));
        std::env::remove_var("CUDA_VISIBLE_DEVICES");
    }
    built
});

/// What was built already, by its name.
static DONE: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);

/// What `build` makes under `name`, once.
fn built(name: &str, build: impl FnOnce(&Path)) -> PathBuf {
    // A test that failed to build something else is no reason to fail here.
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let done = done.get_or_insert_default();
    if let Some(path) = done.get(name) {
        return path.clone();
    }
    let path = BUILT.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    build(&path);
    done.insert(name.to_owned(), path.clone());
    path
}

/// Runs the C compiler. `output` is there whole or not at all: another process may build the same.
fn cc(output: &Path, arguments: &[&str]) {
    let beside = tempfile::Builder::new().tempfile_in(output.parent().unwrap()).unwrap();
    let beside = beside.into_temp_path();
    let mut command = Command::new("cc");
    command.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&beside).args(arguments);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    beside.persist(output).unwrap();
}

/// A library of which programs that are linked with it learn names, and what it needs for it: what a
/// toolkit's `stubs` are. Its functions fail, should a program reach them after all.
pub fn stub(library: &str, list: &str, version: Option<&str>) -> PathBuf {
    built(&format!("stubs/{library}"), |output| {
        let names = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("names/{list}.txt"));
        let mut code = String::new();
        for line in fs::read_to_string(names).unwrap().lines() {
            let name = line.split(' ').next().unwrap();
            let _ = writeln!(code, "int {name}(void);\nint {name}(void) {{ return 998; }}");
        }
        let source = output.with_extension("c");
        fs::write(&source, code).unwrap();
        let soname = format!("-Wl,-soname,{library}");
        let mut arguments = vec!["-shared", "-fPIC", &soname, source.to_str().unwrap()];
        let script = output.with_extension("map");
        let option = format!("-Wl,--version-script={}", script.display());
        if let Some(version) = version {
            fs::write(&script, format!("{version} {{ global: *; }};\n")).unwrap();
            arguments.push(&option);
        }
        cc(output, &arguments);
    })
}

/// The source of a program.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// A program of `tests/programs`, linked as programs that use CUDA are: with the driver by its name.
pub fn program(name: &str) -> PathBuf {
    let driver = stub("libcuda.so.1", "cuda", None);
    linked(name, name, &[driver])
}

/// A program of `tests/programs` under another name, linked with these libraries.
pub fn linked(name: &str, output: &str, libraries: &[PathBuf]) -> PathBuf {
    built(output, |output| {
        let source = source(&format!("{name}.c"));
        let mut arguments = vec![source.to_str().unwrap(), "-pthread", "-ldl"];
        arguments.extend(libraries.iter().map(|library| library.to_str().unwrap()));
        cc(output, &arguments);
    })
}

/// A library without a function, under a name that says whose it is.
pub fn empty_library(name: &str) -> PathBuf {
    built(name, |output| {
        let soname = format!("-Wl,-soname,{name}");
        cc(output, &["-shared", "-fPIC", &soname, "-x", "c", "/dev/null"]);
    })
}

/// A program that is linked statically; it needs no libc.
pub fn static_program(name: &str) -> PathBuf {
    built(name, |output| {
        let source = source(&format!("{name}.c"));
        cc(output, &["-static", "-nostdlib", "-ffreestanding", source.to_str().unwrap()]);
    })
}

/// `program` on an H100: twice with the same values, with zeros and with others.
pub fn options(program: PathBuf, arguments: &[&str]) -> Options {
    // The environment is set before anything is unpacked.
    LazyLock::force(&BUILT);
    Options {
        invocation: Invocation {
            program,
            arguments: arguments.iter().map(OsString::from).collect(),
        },
        card: card(None),
        runs: 4,
        output: Output::Kept,
    }
}

/// An H100, with other memory perhaps.
pub fn card(memory_bytes: Option<u64>) -> Card {
    Card::new("h100", memory_bytes, 1).unwrap()
}

/// What the context takes of the card.
pub fn context_bytes() -> u64 {
    card(None).model().libraries.context
}

/// Notes which runs did not end as the first.
#[derive(Default)]
pub struct Heard {
    pub begun: Vec<usize>,
    pub failed: Vec<usize>,
}

impl Listener for Heard {
    fn begins(&mut self, number: usize, _of: usize) {
        self.begun.push(number);
    }

    fn failed(&mut self, number: usize, _run: &Run) {
        self.failed.push(number);
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

/// A dry run of a program of `tests/programs` that ends by itself each time, having found what it looks
/// for.
pub fn run(name: &str, arguments: &[&str]) -> DryRun {
    let found = run_any(&options(program(name), arguments));
    found.runs.iter().for_each(ends_well);
    found
}

/// Any dry run.
pub fn run_any(options: &Options) -> DryRun {
    dry_run(options, &mut Heard::default()).unwrap()
}

pub fn ends_well(run: &Run) {
    assert!(run.ending.is_success(), "{}: {}", run.ending, String::from_utf8_lossy(&run.output));
}

pub fn answer(found: &DryRun) -> &Answer {
    found.outcome.as_ref().unwrap()
}

pub fn refusal(found: &DryRun) -> &Refusal {
    found.outcome.as_ref().unwrap_err()
}

/// The first run's only process.
pub fn process(found: &DryRun) -> &Process {
    let [process] = &found.runs[0].recording.processes[..] else {
        panic!("{:?}", found.runs[0].recording);
    };
    process
}
