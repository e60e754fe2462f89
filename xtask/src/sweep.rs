//! `cargo xtask sweep`: builds what measures, then sweeps with it.

use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::sweep::{self, SweepFlags};
use vram_sweep::error::SweepError;

use crate::build::BuildFlags;

/// Measure a sweep's rows and print predicted and measured peaks (VRA-34)
///
/// Builds the release `vram`, runs one `vram probe` process per row, and prints the table and the
/// fitted constants beside the published ones. The run directory also gets a report.
#[derive(Debug, clap::Args)]
#[command(after_long_help = sweep::after_help("cargo xtask"))]
pub struct Args {
    #[command(flatten)]
    flags: SweepFlags,
    #[command(flatten)]
    build: BuildFlags,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    let library = library()?;
    // cargo names itself to what it runs; without it this executable was carried.
    let own = || std::env::args().next().unwrap_or_default();
    let program = std::env::var_os("CARGO").map_or_else(own, |_| "cargo xtask".to_owned());
    let carried = |kind| args.build.carried(kind).map_err(SweepError::build);
    args.build.with_executables(|executables| {
        sweep::run(&program, &args.flags, &library, executables, &carried)
    })
}
