//! `vram sweep`: a sweep by the executables beside this one.

use miette::IntoDiagnostic;
use vram_console::reply::Reply;
use vram_console::sweep::{self, SweepFlags};
use vram_sweep::device::Executables;

use crate::flags::library;

/// `vram sweep`.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Measure a sweep's rows and print predicted and measured peaks (VRA-34)

Runs one `vram probe` process per row, and prints the table and the fitted constants beside the
published ones. The run directory also gets a report.",
    after_help = sweep::after_help("vram")
)]
pub struct Args {
    #[command(flatten)]
    flags: SweepFlags,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let own = std::env::current_exe().into_diagnostic()?;
    let dir = own.parent().unwrap_or(&own);
    sweep::run(&args.flags, &library()?, Executables::In(dir))
}
