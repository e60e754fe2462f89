//! The programs of this package on a virtual card.

use std::path::PathBuf;

use vram_virtual_card::card::Card;
use vram_virtual_card::dry_run::{DryRun, Listener, Options, dry_run};
use vram_virtual_card::requests::Wanted;
use vram_virtual_card::run::{Invocation, Output, Run};

/// The executable of a program; none where its feature is off.
pub fn executable(name: &str) -> Option<PathBuf> {
    let path = match name {
        "mlp" => env!("CARGO_BIN_EXE_mlp"),
        "transformer" => env!("CARGO_BIN_EXE_transformer"),
        "conv_net" => env!("CARGO_BIN_EXE_conv_net"),
        "lstm" => env!("CARGO_BIN_EXE_lstm"),
        "mixture_of_experts" => env!("CARGO_BIN_EXE_mixture_of_experts"),
        "sampler" => env!("CARGO_BIN_EXE_sampler"),
        // Cargo names them also where their feature is off, and then they are not built.
        _ if !cfg!(feature = "transformers") => return None,
        "llama" => option_env!("CARGO_BIN_EXE_llama")?,
        "bert" => option_env!("CARGO_BIN_EXE_bert")?,
        _ => panic!("there is no program {name}"),
    };
    Some(PathBuf::from(path))
}

/// No run may fail.
pub struct Silent;

impl Listener for Silent {
    fn begins(&mut self, _: usize, _: usize) {}

    fn failed(&mut self, number: usize, run: &Run) {
        panic!("run {number}: {}\n{}", run.ending, String::from_utf8_lossy(&run.output));
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

/// A program with its arguments on a card of this name; none where its feature is off.
pub fn run(
    command: &[String],
    (card, runs): (&str, usize),
    requests: Wanted,
    listener: &mut dyn Listener,
) -> Option<DryRun> {
    let (name, arguments) = command.split_first().unwrap();
    let arguments = arguments.iter().map(Into::into).collect();
    let options = Options {
        invocation: Invocation { program: executable(name)?, arguments },
        card: Card::new(card, None, 1).unwrap(),
        runs,
        requests,
        output: Output::Kept,
    };
    Some(dry_run(&options, listener).unwrap())
}
