//! What a linker needs of a fetched toolkit and the packages lack: library names without a version,
//! and a driver to link.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a fetched toolkit cannot be completed.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum CompleteError {
    /// A part of it cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A part that it lacks cannot be made.
    #[error("cannot make {}", path.display())]
    Make {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// There is no C compiler.
    #[error("cannot start cc, the C compiler")]
    #[diagnostic(help("install one with the system's packages, such as gcc"))]
    StartCompiler(#[source] io::Error),

    /// The C compiler fails on the driver's stand-in.
    #[error("the C compiler does not take {}", source_file.display())]
    Compile {
        /// What it was given.
        source_file: PathBuf,
    },
}

/// Adds to the toolkit in `home` what it lacks.
pub(crate) fn complete(home: &Path) -> Result<(), CompleteError> {
    unversioned_names(&home.join("lib"))?;
    driver_stub(home)
}

/// `libcublas.so` beside `libcublas.so.13`, and so on.
fn unversioned_names(lib: &Path) -> Result<(), CompleteError> {
    let entries =
        fs::read_dir(lib).map_err(|source| CompleteError::Read { path: lib.to_owned(), source })?;
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if let Some((stem, _)) = name.split_once(".so.") {
            let unversioned = lib.join(format!("{stem}.so"));
            if !unversioned.exists() {
                symlink(&name, &unversioned)
                    .map_err(|source| CompleteError::Make { path: unversioned, source })?;
            }
        }
    }
    Ok(())
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
fn driver_stub(home: &Path) -> Result<(), CompleteError> {
    let header = home.join("include/cuda.h");
    let text = fs::read_to_string(&header)
        .map_err(|source| CompleteError::Read { path: header, source })?;
    let stubs = home.join("lib/stubs");
    fs::create_dir_all(&stubs)
        .map_err(|source| CompleteError::Make { path: stubs.clone(), source })?;
    let source_file = stubs.join("libcuda.c");
    let functions = driver_functions(&text);
    let code: String = functions
        .iter()
        .map(|name| format!("int {name}(void) {{ return 34; /* CUDA_ERROR_STUB_LIBRARY */ }}\n"))
        .collect();
    fs::write(&source_file, code)
        .map_err(|source| CompleteError::Make { path: source_file.clone(), source })?;
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o"])
        .arg(stubs.join("libcuda.so"))
        .arg(&source_file)
        .status()
        .map_err(CompleteError::StartCompiler)?;
    if !status.success() {
        return Err(CompleteError::Compile { source_file });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_driver_are_found_under_each_of_their_names() {
        let header = "/** \\sa ::cuMemFree */
            typedef struct CUctx_st *CUcontext; typedef cuuint32_t Flags; int cudaMalloc(); int cu;
            #define cuMemAlloc cuMemAlloc_v2
            #define __CUDA_API_PTSZ(api) api ## _ptsz
            CUresult CUDAAPI cuInit(unsigned int Flags);
            CUresult CUDAAPI cuMemAlloc(CUdeviceptr *dptr, size_t bytesize);";
        let found: Vec<&str> = driver_functions(header).into_iter().collect();
        assert_eq!(found, ["cuInit", "cuMemAlloc", "cuMemAlloc_v2", "cuMemFree"]);
        assert!(driver_functions("").is_empty());
    }
}
