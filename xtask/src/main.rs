//! The project's chores: `cargo xtask sweep` measures the VRA-34 table.

mod sweep;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Xtask {
    Sweep(sweep::Args),
}

fn main() -> ExitCode {
    let result = match Xtask::parse() {
        Xtask::Sweep(args) => sweep::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error:?}");
        vram_cli::Exit::Refused.into()
    })
}
