//! The `vram` command as a library: its command line and its subcommands. The binary only installs
//! the metered allocator and calls [`main`].
//!
//! **One decision: a subcommand is a thin face.** What it computes is another crate's, which needs no
//! command line: a subcommand reads flags, calls that, and returns a text. How errors, exit codes
//! and a closed pipe look is `vram-console`'s, so that all subcommands look alike.
//!
//! ```
//! use clap::Parser;
//! use vram_cli::cli::{Cli, run};
//! use vram_console::exit::Exit;
//!
//! let cli = Cli::parse_from([
//!     "vram", "workload-id", "--ant", "od1_canon_small", "--colony", "od1_canon_real",
//!     "--batch", "16", "--precision", "fp16",
//! ]);
//! let reply = run(&cli)?;
//! assert_eq!(reply.text, "wl_v1_831069834653\n");
//! assert_eq!(reply.exit, Exit::Done);
//! # Ok::<(), miette::Report>(())
//! ```
#![deny(missing_docs)]

#[cfg(target_os = "linux")]
mod bounded;
mod calls;
pub mod cli;
pub mod commands;
mod counted;
pub mod flags;
mod machine;
mod on_card;
mod stdin_preset;
mod virtual_card;
#[cfg(target_os = "linux")]
mod where_bytes_are;

use std::process::ExitCode;

use vram_console::reply::Reply;
use vram_console::verbosity;

use crate::cli::Cli;

/// Parses the process's arguments, runs what they name and prints what comes of it.
///
/// Usage errors and `--help` end the process here, with the codes of
/// [`Exit`](vram_console::exit::Exit).
pub fn main() -> ExitCode {
    main_with(cli::run)
}

/// As [`main`], on a card.
#[cfg(feature = "cuda")]
pub fn main_on_card() -> ExitCode {
    main_with(cli::run_on_card)
}

fn main_with(run: fn(&Cli) -> miette::Result<Reply>) -> ExitCode {
    let cli = <Cli as clap::Parser>::parse();
    verbosity::init(&cli.verbosity);
    vram_console::run::run(|| run(&cli))
}
