//! The CUDA toolkit to build with candle's feature `cuda`: one that is installed, or fetched from PyPI.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::complete_toolkit::{CompleteError, complete};
use crate::toolkit::{FETCHED_HOME, compiler_in, homes, lacks};

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

/// What to do where nothing can be fetched.
const INSTEAD: &str = "python3 needs pip and PyPI or a mirror of it; or install a CUDA toolkit and \
                       set CUDA_HOME to it";

/// Why there is no toolkit.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum ToolkitError {
    /// There is no Python.
    #[error("cannot start python3, which fetches the CUDA toolkit from PyPI")]
    #[diagnostic(help("{INSTEAD}"))]
    StartPython(#[source] io::Error),

    /// pip failed; what it said is on stderr.
    #[error("the CUDA toolkit could not be fetched")]
    #[diagnostic(help("{INSTEAD}"))]
    NotFetched,

    /// What was fetched cannot be made fit to link.
    #[error("the toolkit in {} is no use", home.display())]
    #[diagnostic(forward(source))]
    NoUse {
        /// Its home.
        home: PathBuf,
        /// What is wrong with it.
        source: CompleteError,
    },

    /// What was fetched is not a whole toolkit.
    #[error("{} lacks {}", home.display(), lacks.join(", "))]
    #[diagnostic(help("{INSTEAD}"))]
    Lacks {
        /// Its home.
        home: PathBuf,
        /// Names of the files that are missing.
        lacks: Vec<String>,
    },
}

/// Something that happened, for whoever shows it.
#[derive(Debug)]
#[non_exhaustive]
pub enum ToolkitEvent<'a> {
    /// An installed toolkit has a compiler and is not whole.
    NotUsed {
        /// Its home.
        home: &'a Path,
        /// Names of the files that are missing.
        lacks: &'a [String],
    },
    /// One is about to be fetched into this directory, which takes minutes.
    Fetching(&'a Path),
}

/// Who is told.
pub type Listener<'a> = &'a mut dyn FnMut(ToolkitEvent<'_>);

/// The home of the first installed toolkit that has everything.
pub fn installed(listen: Listener<'_>) -> Option<PathBuf> {
    let mut seen = BTreeSet::new();
    let homes = homes().into_iter().filter(|home| seen.insert(home.clone()));
    homes.filter(|home| compiler_in(&home.join("bin")).is_file()).find(|home| {
        let lacks = lacks(home);
        if !lacks.is_empty() {
            listen(ToolkitEvent::NotUsed { home, lacks: &lacks });
        }
        lacks.is_empty()
    })
}

/// The home of the toolkit in `dir`, fetched from PyPI if it is not there: 1.2 GB, by `python3` with
/// pip and a C compiler.
///
/// # Errors
///
/// Nothing can be fetched, or what was fetched is not a whole toolkit.
pub fn fetch(dir: &Path, listen: Listener<'_>) -> Result<PathBuf, ToolkitError> {
    let home = dir.join(FETCHED_HOME);
    if lacks(&home).is_empty() {
        return Ok(home);
    }
    listen(ToolkitEvent::Fetching(dir));
    let status = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--upgrade", "--target"])
        .arg(dir)
        .args(PACKAGES)
        // stdout belongs to the result.
        .stdout(Stdio::null())
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .status()
        .map_err(ToolkitError::StartPython)?;
    if !status.success() {
        return Err(ToolkitError::NotFetched);
    }
    if let Err(source) = complete(&home) {
        return Err(ToolkitError::NoUse { home, source });
    }
    match lacks(&home) {
        none if none.is_empty() => Ok(home),
        lacks => Err(ToolkitError::Lacks { home, lacks }),
    }
}
