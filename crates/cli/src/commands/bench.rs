//! `vram bench`: how long a step takes, by the executables beside this one.

use miette::IntoDiagnostic;
use vram_console::bench::{self, BenchFlags};
use vram_console::reply::Reply;
use vram_launch::executable::own_dir;
use vram_sweep::device::Executables;

use crate::flags::library;

/// `vram bench`.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Time the step of a sweep's rows (a benchmark, not a test)

Every row is a probe process of its own. The floor of a row is the time that its tape needs at
the device's copy bandwidth, which is measured in the same run: 2 * T*B*R*D*4 bytes, each state
read once and written once.",
    after_help = bench::after_help("vram")
)]
pub struct Args {
    #[command(flatten)]
    flags: BenchFlags,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let dir = own_dir().into_diagnostic()?;
    bench::run(&args.flags, &library()?, Executables::In(&dir))
}
