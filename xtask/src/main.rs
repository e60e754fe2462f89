//! The project's chores: `cargo xtask sweep` measures the VRA-34 table.

mod bench;
mod build;
mod ci;
mod sweep;
mod toolkit;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vram_console::verbosity::{self, Verbosity};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Xtask {
    #[command(flatten, next_display_order = 90)]
    verbosity: Verbosity,
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Sweep(Box<sweep::Args>),
    Bench(bench::Args),
    CudaToolkit(toolkit::Args),
    Ci(ci::Args),
}

fn main() -> ExitCode {
    let xtask = Xtask::parse();
    verbosity::init(&xtask.verbosity);
    vram_console::run::run(|| match &xtask.chore {
        Chore::Sweep(args) => sweep::run(args),
        Chore::Bench(args) => bench::run(args),
        Chore::CudaToolkit(args) => toolkit::run(args),
        Chore::Ci(args) => ci::run(args),
    })
}
