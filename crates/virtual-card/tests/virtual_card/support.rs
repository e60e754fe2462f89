//! Programs, run on the virtual card.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Once;

use elf::ElfBytes;
use elf::endian::AnyEndian;
use elf::symbol::Symbol;
use vram_virtual_card::card::Card;
use vram_virtual_card::dry_run::{Answer, DryRun, Listener, Options, dry_run};
use vram_virtual_card::recording::Process;
use vram_virtual_card::requests::Wanted;
use vram_virtual_card::run::{Invocation, Output, Run};
use vram_virtual_card::verdict::Refusal;

use crate::programs;
pub use crate::programs::{
    driver, empty_library, library, linked, program, source, static_program, stripped, stub,
};

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// What a pool grows by.
pub const GRANULE: u64 = 32 * MIB;

/// Has the stand-in unpacked where programs are built, and every card of a run visible.
pub fn set_environment() {
    static SET: Once = Once::new();
    // SAFETY: whatever reads the environment of this process does so by the standard library, which
    // locks it.
    SET.call_once(|| unsafe {
        std::env::set_var("XDG_CACHE_HOME", programs::directory().join("cache"));
        std::env::remove_var("CUDA_VISIBLE_DEVICES");
    });
}

/// `program` on an H100: twice with the same values, with zeros and with others.
pub fn options(program: PathBuf, arguments: &[&str]) -> Options {
    set_environment();
    Options {
        invocation: Invocation {
            program,
            arguments: arguments.iter().map(OsString::from).collect(),
        },
        card: card(None),
        runs: 4,
        requests: Wanted::Nothing,
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

/// The function of a file that an address of its own lies in; empty for none.
pub fn symbol(file: &Path, address: u64) -> String {
    let bytes = std::fs::read(file).unwrap();
    let parsed = ElfBytes::<AnyEndian>::minimal_parse(&bytes).unwrap();
    let tables = parsed.symbol_table().unwrap().or(parsed.dynamic_symbol_table().unwrap());
    let Some((symbols, texts)) = tables else { return String::new() };
    let within =
        |symbol: &Symbol| symbol.st_value <= address && address - symbol.st_value < symbol.st_size;
    let found = symbols.iter().find(within);
    found.map_or(String::new(), |s| texts.get(s.st_name as usize).unwrap().to_owned())
}

/// The first run's only process.
pub fn process(found: &DryRun) -> &Process {
    let [process] = &found.runs[0].recording.processes[..] else {
        panic!("{:?}", found.runs[0].recording);
    };
    process
}
