//! `cargo xtask cuda-toolkit`: what compiles the CUDA kernels, where no toolkit is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use miette::{IntoDiagnostic, WrapErr, bail};
use vram_cli::{Reply, terminal};

use crate::workspace;

/// NVIDIA's compiler and its headers, as PyPI has them. The kernels call the driver alone, so no
/// library of the toolkit is needed to link or to run.
const PACKAGES: [&str; 5] = [
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
];

/// Where the packages put the toolkit.
const HOME: &str = "nvidia/cu13";

/// Fetch the CUDA compiler from PyPI, for machines without a toolkit
///
/// Takes `python3` with pip, and some 300 MB of disk. `cargo xtask sweep` does this by itself
/// where it needs to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask cuda-toolkit
  CUDA_HOME=$(cargo xtask cuda-toolkit) CUDA_COMPUTE_CAP=9.0 \\
    cargo build --release --package vram-cli --features cuda --bin vram-cuda

Prints the directory to set CUDA_HOME to.")]
pub struct Args {
    /// Where to put it [default: target/cuda-toolkit]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    let dir = match &args.dir {
        Some(dir) => std::path::absolute(dir).into_diagnostic()?,
        None => default_dir(&workspace::root()?),
    };
    let home = fetch(&dir)?;
    Ok(Reply::done(format!("{}\n", home.display())))
}

/// Where a sweep puts it.
pub fn default_dir(root: &Path) -> PathBuf {
    root.join("target/cuda-toolkit")
}

/// The toolkit's home in `dir`, fetched if it is not there.
pub fn fetch(dir: &Path) -> miette::Result<PathBuf> {
    let home = dir.join(HOME);
    if nvcc_in(&home.join("bin")).is_some() {
        return Ok(home);
    }
    terminal::say(&format!("fetching the CUDA compiler into {}", dir.display()));
    let status = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--upgrade", "--target"])
        .arg(dir)
        .args(PACKAGES)
        // What is fetched is said above; stdout belongs to the result.
        .stdout(Stdio::null())
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .status()
        .into_diagnostic()
        .wrap_err("cannot start python3, which fetches the CUDA compiler from PyPI")?;
    if !status.success() || nvcc_in(&home.join("bin")).is_none() {
        bail!(
            help = "python3 needs pip and PyPI or a mirror of it; or install a CUDA toolkit and set \
                    CUDA_HOME to it",
            "the CUDA compiler could not be fetched"
        );
    }
    Ok(home)
}

/// Whether the crates' build finds a compiler by itself: `$NVCC`, `$CUDA_HOME`, `$CUDA_PATH`, the
/// path, and the usual place.
pub fn is_installed() -> bool {
    let homes = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(std::env::var_os);
    let homes = homes.map(|home| PathBuf::from(home).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = PathBuf::from("/usr/local/cuda/bin");
    std::env::var_os("NVCC").is_some()
        || homes
            .chain(std::env::split_paths(&path))
            .chain([usual])
            .any(|dir| nvcc_in(&dir).is_some())
}

fn nvcc_in(dir: &Path) -> Option<PathBuf> {
    let nvcc = dir.join(format!("nvcc{}", std::env::consts::EXE_SUFFIX));
    nvcc.is_file().then_some(nvcc)
}
