//! The CUDA toolkit that `vram-cuda` is built with: one that is installed, or fetched.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use miette::{IntoDiagnostic, WrapErr, bail};
use vram_console::reply::Reply;
use vram_console::terminal;
use vram_launch::toolkit;

use crate::workspace;

/// NVIDIA's compiler, its headers, and the libraries that candle's CUDA backend links, as PyPI has
/// them.
const PACKAGES: [&str; 8] = [
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
    "nvidia-cublas==13.1.0.3",
    "nvidia-curand==10.4.0.35",
    "nvidia-cuda-nvrtc==13.0.88",
];

/// What cudarc and candle's kernels name to the linker.
const LINKED: [&str; 6] = ["cuda", "cublas", "cublasLt", "curand", "cudart", "nvrtc"];

/// Name the CUDA toolkit to build with, and fetch one where none is installed
///
/// One that is installed is used as it is: of NVCC, CUDA_HOME, CUDA_PATH, the path, or in a usual
/// place. Else one is fetched from PyPI, which takes `python3` with pip, a C compiler and 1.2 GB of
/// disk. `cargo xtask sweep` does this by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
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
    let installed = installed();
    tracing::debug!("{} toolkit is installed", if installed.is_some() { "a" } else { "no" });
    let home = match (installed, &args.dir) {
        (Some(home), _) => home,
        (None, Some(dir)) => fetch(&std::path::absolute(dir).into_diagnostic()?)?,
        (None, None) => fetch(&default_dir(&workspace::root()?))?,
    };
    Ok(Reply::done(format!("{}\n", home.display())))
}

/// The home of the toolkit that an executable of this workspace is built with.
pub fn for_build(root: &Path) -> miette::Result<PathBuf> {
    match installed() {
        Some(home) => {
            tracing::debug!("CUDA toolkit: {}, which is installed", home.display());
            Ok(home)
        }
        None => fetch(&default_dir(root)).wrap_err(
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

/// The first installed toolkit that has everything; what one lacks is told.
fn installed() -> Option<PathBuf> {
    let mut seen = BTreeSet::new();
    let homes = toolkit::homes().into_iter().filter(|home| seen.insert(home.clone()));
    homes.filter(|home| toolkit::compiler_in(&home.join("bin")).is_file()).find(|home| {
        let lacks = lacks(home);
        if !lacks.is_empty() {
            terminal::say(&format!("not used: {} lacks {}", home.display(), lacks.join(", ")));
        }
        lacks.is_empty()
    })
}

/// What is missing in a toolkit for a build.
fn lacks(home: &Path) -> Vec<String> {
    let dirs: Vec<PathBuf> =
        toolkit::library_dirs(home).flat_map(|dir| [dir.join("stubs"), dir]).collect();
    let names = LINKED.map(|name| format!("lib{name}.so"));
    let mut lacks: Vec<String> =
        names.into_iter().filter(|name| !dirs.iter().any(|dir| dir.join(name).is_file())).collect();
    if !toolkit::compiler_in(&home.join("bin")).is_file() {
        lacks.push("nvcc".to_owned());
    }
    lacks
}

/// The toolkit's home in `dir`, fetched if it is not there.
fn fetch(dir: &Path) -> miette::Result<PathBuf> {
    let home = dir.join(toolkit::FETCHED_HOME);
    if lacks(&home).is_empty() {
        return Ok(home);
    }
    terminal::say(&format!("fetching the CUDA toolkit into {}", dir.display()));
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
        .wrap_err("cannot start python3, which fetches the CUDA toolkit from PyPI")?;
    let help = "python3 needs pip and PyPI or a mirror of it; or install a CUDA toolkit and set \
                CUDA_HOME to it";
    if !status.success() {
        bail!(help = help, "the CUDA toolkit could not be fetched");
    }
    complete(&home).wrap_err_with(|| format!("the toolkit in {} is no use", home.display()))?;
    match lacks(&home) {
        none if none.is_empty() => Ok(home),
        lacks => bail!(help = help, "{} lacks {}", home.display(), lacks.join(", ")),
    }
}

/// Adds what a linker needs and the packages lack: names without a version, and a driver.
fn complete(home: &Path) -> miette::Result<()> {
    let lib = home.join("lib");
    let entries = std::fs::read_dir(&lib).into_diagnostic()?;
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if let Some((stem, _)) = name.split_once(".so.") {
            let unversioned = lib.join(format!("{stem}.so"));
            if !unversioned.exists() {
                symlink(&name, &unversioned)
                    .into_diagnostic()
                    .wrap_err_with(|| format!("cannot make {}", unversioned.display()))?;
            }
        }
    }
    driver_stub(home)
}

#[cfg(unix)]
fn symlink(to: &str, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn symlink(_: &str, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A library to link in the driver's place, as installed toolkits have one: it has the functions
/// that `cuda.h` names, and each says that it is a stub.
fn driver_stub(home: &Path) -> miette::Result<()> {
    let header = home.join("include/cuda.h");
    let text = std::fs::read_to_string(&header)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read {}", header.display()))?;
    let stubs = home.join("lib/stubs");
    std::fs::create_dir_all(&stubs).into_diagnostic()?;
    let source = stubs.join("libcuda.c");
    let functions = driver_functions(&text);
    let code: String = functions
        .iter()
        .map(|name| format!("int {name}(void) {{ return 34; /* CUDA_ERROR_STUB_LIBRARY */ }}\n"))
        .collect();
    std::fs::write(&source, code).into_diagnostic()?;
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o"])
        .arg(stubs.join("libcuda.so"))
        .arg(&source)
        .status()
        .into_diagnostic()
        .wrap_err("cannot start cc, the C compiler")?;
    if !status.success() {
        bail!("the C compiler does not take {}", source.display());
    }
    Ok(())
}

/// Every function of the driver that its header names, also those that it only renames to.
fn driver_functions(header: &str) -> BTreeSet<&str> {
    let words = header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| {
            word.strip_prefix("cu").is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase()))
        })
        .collect()
}
