//! `vram sweep`: a sweep by the executables beside this one.

use miette::IntoDiagnostic;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::sweep::{self, SweepFlags};
use vram_launch::executable::own_dir;
use vram_sweep::device::Executables;
use vram_sweep::planned::carried_from;

/// `vram sweep`.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Measure a sweep's rows and print predicted and measured peaks (VRA-34)

Runs one `vram probe` process per row, and prints the table and the fitted constants beside the
published ones. The run directory also gets a report.",
    after_long_help = sweep::after_help("vram")
)]
pub struct Args {
    #[command(flatten)]
    flags: SweepFlags,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let dir = own_dir().into_diagnostic()?;
    // As it was typed: where it lies may not be on the path.
    let program = std::env::args().next().unwrap_or_else(|| "vram".to_owned());
    let carried = |kind| carried_from(&dir, kind);
    sweep::run(&program, &args.flags, &library()?, Executables::In(&dir), &carried)
}
