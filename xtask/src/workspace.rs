//! Where the repository is: the working directory, or above it.

use std::path::PathBuf;

use miette::{IntoDiagnostic, miette};

/// The workspace's root.
pub fn root() -> miette::Result<PathBuf> {
    let here = std::env::current_dir().into_diagnostic()?;
    let found = here.ancestors().find(|dir| dir.join("crates/cli/Cargo.toml").is_file());
    found.map(PathBuf::from).ok_or_else(|| {
        miette!(
            help = "run it in the repository, or with --no-build beside built executables",
            "no workspace to build vram in"
        )
    })
}
