//! The executables that measure: built here, or carried along. No path is baked in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use cargo_metadata::Message;
use miette::{IntoDiagnostic, WrapErr, bail, miette};
use vram_console::reply::Reply;
use vram_launch::device::{DeviceError, card};
use vram_launch::executable::{Executable, own_dir};
use vram_launch::libraries;
use vram_metrics::driver::Card;
use vram_sweep::device::Executables;
use vram_sweep::error::SweepError;
use vram_sweep::planned;
use vram_workload::device_kind::DeviceKind;

use crate::{toolkit, workspace};

/// How the executables are had.
#[derive(Debug, Clone, clap::Args)]
pub struct BuildFlags {
    /// Compute capability to build the CUDA probe for [default: the card's]
    #[arg(long, value_name = "X.Y", value_parser = str::parse::<Capability>)]
    compute_cap: Option<Capability>,
    /// Use the executables beside this one instead of building them
    #[arg(long)]
    no_build: bool,
}

impl BuildFlags {
    /// Does `work` with executables that are built when it asks for them, or lie beside this one.
    pub fn with_executables(
        &self,
        work: impl FnOnce(Executables<'_>) -> miette::Result<Reply>,
    ) -> miette::Result<Reply> {
        if self.no_build {
            return work(Executables::In(&own_dir().into_diagnostic()?));
        }
        work(Executables::Built(&|card| {
            let built = match card {
                Some(card) => build_for_card(self.compute_cap.unwrap_or_else(|| of(card))),
                None => build_for_cpu(),
            };
            built.map_err(SweepError::build)
        }))
    }

    /// What a task on machines elsewhere is done with: built here, or beside this executable. Those
    /// machines may have cards that this one has not.
    pub fn carried(&self, kind: DeviceKind) -> miette::Result<Vec<PathBuf>> {
        if self.no_build {
            return Ok(planned::carried_from(&own_dir().into_diagnostic()?, kind)?);
        }
        let vram = build_for_cpu()?;
        if kind == DeviceKind::Cpu {
            return Ok(vec![vram.path().to_owned()]);
        }
        let here = || card(0).map(|card| of(&card)).ok();
        let Some(capability) = self.compute_cap.or_else(here) else {
            bail!(
                help = "name it: --compute-cap 9.0 for an H100 or H200, 8.0 for an A100",
                "no card is here that would tell the compute capability to build for"
            );
        };
        let cuda = build_for_card(capability)?.path().to_owned();
        Ok(std::iter::once(vram.path().to_owned()).chain(planned::with_libraries(cuda)).collect())
    }
}

/// The capability of a card.
fn of(card: &Card) -> Capability {
    let (major, minor) = card.capability;
    Capability((major * 10 + minor).unsigned_abs())
}

fn build_for_cpu() -> miette::Result<Executable> {
    build(&workspace::root()?, &["--bin", "vram"], &[]).map(Executable::plain)
}

/// A compute capability as a compiler is told: 90 is 9.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability(u32);

impl FromStr for Capability {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = match text.split_once('.') {
            Some((major, minor)) if minor.len() == 1 => format!("{major}{minor}"),
            Some(_) => String::new(),
            None => text.to_owned(),
        };
        let is_number = digits.len() >= 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let number = is_number.then(|| digits.parse().ok()).flatten();
        number.map(Self).ok_or("expected a compute capability such as 8.9 or 9.0")
    }
}

/// Builds the CUDA probe with a toolkit that is installed or fetched.
fn build_for_card(capability: Capability) -> miette::Result<Executable> {
    let root = workspace::root()?;
    let home = toolkit::for_build(&root)?;
    let mut variables = toolkit::variables(&home)?;
    variables.push(("CUDA_COMPUTE_CAP", capability.0.to_string().into()));
    let path = build(&root, &["--features", "cuda", "--bin", "vram-cuda"], &variables)?;
    libraries::built_with(&path, &home)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write beside {}", path.display()))?;
    Ok(Executable::for_cards(path).map_err(DeviceError::from)?)
}

fn build(
    root: &Path,
    what: &[&str],
    variables: &[(&str, std::ffi::OsString)],
) -> miette::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "vram-cli"])
        .args(what)
        .arg("--message-format=json-render-diagnostics")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .into_diagnostic()
        .wrap_err("cannot start cargo")?;
    if !output.status.success() {
        bail!("vram does not build");
    }
    let messages = Message::parse_stream(output.stdout.as_slice()).map_while(Result::ok);
    let executables = messages.filter_map(|message| match message {
        Message::CompilerArtifact(artifact) => artifact.executable,
        _ => None,
    });
    let executable = executables.last().map(PathBuf::from);
    executable.ok_or_else(|| miette!("cargo did not say where it built vram"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_read_with_its_dot_or_without() {
        for (text, number) in [("9.0", 90), ("90", 90), ("8.9", 89), ("12.0", 120)] {
            assert_eq!(text.parse(), Ok(Capability(number)));
        }
        for wrong in ["", "9", "9.", "9.00", "sm_90", "90a", ".9", "-9.0", "+90"] {
            assert!(wrong.parse::<Capability>().is_err(), "{wrong}");
        }
    }
}
