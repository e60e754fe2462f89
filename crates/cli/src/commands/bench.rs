//! `vram bench`: how long a step takes, by the executables beside this one.

use miette::IntoDiagnostic;
use vram_console::bench::{self, BenchFlags};
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_launch::executable::own_dir;
use vram_sweep::device::Executables;

/// `vram bench`.
#[derive(Debug, clap::Args)]
#[command(about = bench::ABOUT, long_about = bench::LONG_ABOUT, after_long_help = bench::after_help("vram"))]
pub struct Args {
    #[command(flatten)]
    flags: BenchFlags,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let dir = own_dir().into_diagnostic()?;
    bench::run(&args.flags, &library()?, Executables::In(&dir))
}
