//! `cargo xtask bench`: builds what measures, then times with it.

use miette::IntoDiagnostic;
use vram_console::bench::{self, BenchFlags};
use vram_console::presets::library;
use vram_console::reply::Reply;

use crate::build::BuildFlags;

/// Time the step of a sweep's rows (a benchmark, not a test)
///
/// Every row is a probe process of its own. The floor of a row is the time that its tape needs at
/// the device's copy bandwidth, which is measured in the same run: 2 * T*B*R*D*4 bytes, each state
/// read once and written once.
#[derive(Debug, clap::Args)]
#[command(after_help = bench::after_help("cargo xtask"))]
pub struct Args {
    #[command(flatten)]
    flags: BenchFlags,
    #[command(flatten)]
    build: BuildFlags,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    let library = library().into_diagnostic()?;
    args.build.with_executables(|executables| bench::run(&args.flags, &library, executables))
}
