//! The `vram` command as a library: its arguments, its subcommands, and the artifacts that they
//! write and read. The binary only installs the metered allocator and calls [`main`]; `xtask`
//! drives the same code.
//!
//! **One decision: a subcommand returns its text.** [`commands::run`] computes a [`Reply`] and
//! [`main`] prints it, so there is one place where a closed pipe ends quietly, one where an error
//! is rendered and one where an exit code is chosen; and a probe whose reader went away still
//! writes its results.
//!
//! ```
//! use clap::Parser;
//! use vram_cli::{Args, Exit, commands};
//!
//! let args = Args::parse_from([
//!     "vram", "workload-id", "--ant", "od1_canon_small", "--colony", "od1_canon_real",
//!     "--batch", "16", "--precision", "fp16",
//! ]);
//! let reply = commands::run(&args)?;
//! assert_eq!(reply.text, "wl_v1_831069834653\n");
//! assert_eq!(reply.exit, Exit::Done);
//! # Ok::<(), miette::Report>(())
//! ```
#![deny(missing_docs)]

pub mod args;
pub mod artifacts;
pub mod budget;
pub mod commands;
pub mod device;
mod escape;
pub mod events;
mod exit;
pub mod libraries;
mod machine;
mod panics;
pub mod report;
pub mod room;
pub mod study;
pub mod terminal;
pub mod toolkit;

use std::process::ExitCode;

pub use args::Args;
pub use commands::Reply;
pub use exit::Exit;

/// Parses the process's arguments, runs what they name and prints what comes of it.
///
/// Usage errors and `--help` end the process here, with the codes of [`Exit`].
pub fn main() -> ExitCode {
    main_with(commands::run)
}

/// As [`main`], on a card.
#[cfg(feature = "cuda")]
pub fn main_on_card() -> ExitCode {
    main_with(commands::run_on_card)
}

fn main_with(run: fn(&Args) -> miette::Result<Reply>) -> ExitCode {
    let args = <Args as clap::Parser>::parse();
    terminal::init(&args.verbosity);
    answer(|| run(&args))
}

/// Prints what comes of `work`, or why nothing does, and gives the exit code for it. A panic is told
/// with the path of its log.
pub fn answer(work: impl FnOnce() -> miette::Result<Reply>) -> ExitCode {
    panics::install();
    let mut finished = false;
    let result = panics::caught(|| {
        let reply = work();
        finished = true;
        reply
    });
    let exit = match result {
        Ok(reply) => terminal::print(&reply),
        Err(report) => {
            terminal::complain(&report);
            // A refusal is an answer; a panic is none.
            if finished { Exit::Refused } else { Exit::Failed }
        }
    };
    exit.into()
}
