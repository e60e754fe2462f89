//! The CUDA toolkit that `vram-cuda` is built with: one that is installed, or fetched into the
//! repository's target directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, WrapErr};
use vram_console::cuda_toolkit::{self, tell};
use vram_console::reply::Reply;
use vram_launch::fetch_toolkit::{fetch, installed};
use vram_launch::toolkit;

use crate::workspace;

/// Name the CUDA toolkit to build with, and fetch one where none is installed
///
/// One that is installed is used as it is: of NVCC, CUDA_HOME, CUDA_PATH, the path, or in a usual
/// place. Else one is fetched from PyPI, which takes `python3` with pip, a C compiler and 1.2 GB of
/// disk. `cargo xtask sweep` does this by itself.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  cargo xtask cuda-toolkit
  CUDA_HOME=$(cargo xtask cuda-toolkit) CUDA_COMPUTE_CAP=90 \\
    cargo build --release --package vram-cli --features cuda --bin vram-cuda

Prints the directory to set CUDA_HOME to.")]
pub struct Args {
    /// Where to put one that is fetched [default: target/cuda-toolkit]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    cuda_toolkit::run(args.dir.as_deref(), || Ok(default_dir(&workspace::root()?)))
}

/// The home of the toolkit that an executable of this workspace is built with.
pub fn for_build(root: &Path) -> miette::Result<PathBuf> {
    match installed(&mut tell) {
        Some(home) => {
            tracing::debug!("CUDA toolkit: {}, which is installed", home.display());
            Ok(home)
        }
        None => fetch(&default_dir(root), &mut tell).wrap_err(
            "no CUDA toolkit is installed, and the probe for the card needs one (--device cpu \
             measures without)",
        ),
    }
}

/// What a build with the toolkit in `home` is told. The compiler is found by way of the path, whatever
/// else is on it; no crate is built again because the path changed.
pub fn variables(home: &Path) -> miette::Result<Vec<(&'static str, OsString)>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let bin = std::iter::once(home.join("bin"));
    let path = std::env::join_paths(bin.chain(std::env::split_paths(&path))).into_diagnostic()?;
    // Else candle's kernels are compiled on half of the cores.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(vec![
        ("CUDA_HOME", home.into()),
        ("PATH", path),
        ("CUDAFORGE_THREADS", cores.to_string().into()),
    ])
}

fn default_dir(root: &Path) -> PathBuf {
    root.join("target").join(toolkit::FETCHED_TO)
}
