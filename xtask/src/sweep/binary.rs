//! Where the probe's executable is. No path is baked in: the two executables can be carried.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use miette::{IntoDiagnostic, WrapErr, bail, miette};

/// Builds the release `vram` of the workspace at or above `start`.
pub fn build(start: &Path) -> miette::Result<PathBuf> {
    let in_workspace = |dir: &&Path| dir.join("crates/cli/Cargo.toml").is_file();
    let Some(root) = start.ancestors().find(in_workspace) else {
        bail!(
            help = "run it in the repository, or with --no-build beside a built vram",
            "no workspace to build vram in"
        );
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "vram-cli", "--bin", "vram"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .into_diagnostic()
        .wrap_err("cannot start cargo")?;
    if !output.status.success() {
        bail!("vram does not build");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.ok_or_else(|| miette!("cargo did not say where it built vram"))
}

/// The `vram` in this executable's directory.
pub fn beside() -> miette::Result<PathBuf> {
    let own = std::env::current_exe().into_diagnostic()?;
    let vram = own.with_file_name(format!("vram{}", std::env::consts::EXE_SUFFIX));
    if !vram.is_file() {
        bail!(help = "leave out --no-build, or put vram there", "{} is not there", vram.display());
    }
    Ok(vram)
}
