//! `cargo xtask bench`: builds what measures, then times with it.

use vram_console::bench::{self, BenchFlags};
use vram_console::presets::library;
use vram_console::reply::Reply;

use crate::build::BuildFlags;

/// `cargo xtask bench`.
#[derive(Debug, clap::Args)]
#[command(
    about = bench::ABOUT,
    long_about = bench::LONG_ABOUT,
    after_long_help = bench::after_help("cargo xtask")
)]
pub struct Args {
    #[command(flatten)]
    flags: BenchFlags,
    #[command(flatten)]
    build: BuildFlags,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    let library = library()?;
    args.build.with_executables(|executables| bench::run(&args.flags, &library, executables))
}
