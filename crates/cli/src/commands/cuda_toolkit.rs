//! `vram cuda-toolkit`: the CUDA toolkit to build with, also where no card is.

use std::path::PathBuf;

use miette::miette;
use vram_console::cuda_toolkit;
use vram_console::reply::Reply;
use vram_launch::toolkit;

/// What the command is, for `--help`.
pub(crate) const LONG_ABOUT: &str =
    "Name the CUDA toolkit to build with, and fetch one where none is installed

One that is installed is used as it is: of NVCC, CUDA_HOME, CUDA_PATH, the path, or in a usual \
place. Else one is fetched from PyPI, which takes `python3` with pip, a C compiler and 1.2 GB of \
disk. It compiles and links what is built on candle with its feature `cuda`; no card is needed for \
that.";

/// `vram cuda-toolkit`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  vram cuda-toolkit
  export CUDA_HOME=$(vram cuda-toolkit)
  export CUDA_COMPUTE_CAP=89 PATH=\"$CUDA_HOME/bin:$PATH\"
  cargo build --release --features cuda

Prints the directory to set CUDA_HOME to.")]
pub struct Args {
    /// Where to put one that is fetched [default: vram/cuda-toolkit in XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    cuda_toolkit::run(args.dir.as_deref(), || {
        toolkit::user_dir().ok_or_else(|| {
            miette!(
                help = "name one with --dir, or set XDG_CACHE_HOME",
                "this user has no home directory to put a CUDA toolkit in"
            )
        })
    })
}
