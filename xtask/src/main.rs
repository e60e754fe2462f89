//! The project's chores: `cargo xtask sweep` measures the VRA-34 table.

#![allow(clippy::print_stderr, reason = "a chore tells on stderr what it does")]

mod bench;
mod sweep;
mod toolkit;
mod workspace;

use std::process::ExitCode;

use clap::Parser;
use vram_cli::{Exit, terminal};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Xtask {
    Sweep(sweep::Args),
    Bench(bench::Args),
    CudaToolkit(toolkit::Args),
}

fn main() -> ExitCode {
    let result = match Xtask::parse() {
        Xtask::Sweep(args) => sweep::run(&args),
        Xtask::Bench(args) => bench::run(&args),
        Xtask::CudaToolkit(args) => toolkit::run(&args),
    };
    let exit = match result {
        Ok(reply) => terminal::print(&reply),
        Err(report) => {
            terminal::complain(&report);
            Exit::Refused
        }
    };
    exit.into()
}
