//! The project's chores: `cargo xtask sweep` measures the VRA-34 table.

mod bench;
mod sweep;
mod toolkit;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Xtask {
    Sweep(sweep::Args),
    Bench(bench::Args),
    CudaToolkit(toolkit::Args),
}

fn main() -> ExitCode {
    let command = Xtask::parse();
    vram_cli::answer(|| match command {
        Xtask::Sweep(args) => sweep::run(&args),
        Xtask::Bench(args) => bench::run(&args),
        Xtask::CudaToolkit(args) => toolkit::run(&args),
    })
}
