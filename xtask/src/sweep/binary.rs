//! Which executable measures: built here, or carried along. No path is baked in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use miette::{IntoDiagnostic, WrapErr, bail, miette};
use vram_cli::device::{self, Choice, DeviceError, Executable, Place, card, executable_name};
use vram_cli::room::{Context, Room};
use vram_cli::{libraries, terminal};
use vram_metrics::Card;
use vram_presets::Library;
use vram_workload::DeviceKind;

use crate::{toolkit, workspace};

/// Where a sweep's rows run, and what runs them there.
pub struct Target {
    /// None is the CPU.
    pub card: Option<Card>,
    /// Carried along; none is built when it is needed.
    carried: Option<Executable>,
    /// What a process holds on the device beside what it reserves.
    pub context: Context,
}

impl Target {
    /// The device that `choice` means. Says on stderr which, and why. With `build` the executable
    /// is made later, else it lies beside this one. A card's context is assumed from the library's
    /// calibrations.
    pub fn choose(choice: Choice, build: bool, library: &Library) -> miette::Result<Self> {
        let own = std::env::current_exe().into_diagnostic()?;
        let carried = own.with_file_name(executable_name());
        // One that is built is built later.
        let carried = Executable::plain(carried);
        let place = match (build, choice) {
            (false, _) => choice.resolve(carried.path())?,
            (true, Choice::Cpu) => Place::Cpu(None),
            (true, Choice::Auto) => match card(0) {
                Ok(card) => Place::Cuda(card, carried),
                Err(why) => Place::Cpu(Some(why.to_string())),
            },
            (true, Choice::Cuda(ordinal)) => {
                Place::Cuda(card(ordinal).map_err(DeviceError::from)?, carried)
            }
        };
        let (card, executable) = match place {
            Place::Cuda(card, executable) => {
                terminal::say(&format!("device: cuda:{}, {}", card.ordinal, card.name));
                (Some(card), executable)
            }
            Place::Cpu(why) => {
                if let Some(why) = why {
                    terminal::say(&format!("device: cpu ({why})"));
                }
                let vram = format!("vram{}", std::env::consts::EXE_SUFFIX);
                (None, Executable::plain(own.with_file_name(vram)))
            }
        };
        if !build && !executable.path().is_file() {
            bail!(
                help = "leave out --no-build, or put it there",
                "{} is not there",
                executable.path().display()
            );
        }
        let context = card.as_ref().map_or(Context::NONE, |_| Context::assumed(library));
        Ok(Self { card, carried: (!build).then_some(executable), context })
    }

    /// Its room now; none where it tells no size.
    pub fn room(&self) -> Option<Room> {
        Room::of(&device::facts(self.card.as_ref()), self.context)
    }

    /// The kind of device, as a ledger knows it.
    pub fn kind(&self) -> DeviceKind {
        if self.card.is_some() { DeviceKind::Cuda } else { DeviceKind::Cpu }
    }

    /// What the executable is told to run on.
    pub fn choice(&self) -> Choice {
        self.card.as_ref().map_or(Choice::Cpu, |card| Choice::Cuda(card.ordinal))
    }

    /// The executable with the libraries that it needs, built if it was not carried along.
    pub fn executable(&self, capability: Option<Capability>) -> miette::Result<Executable> {
        match (&self.carried, &self.card) {
            (Some(executable), _) => Ok(executable.clone()),
            (None, Some(card)) => build_for(card, capability),
            (None, None) => {
                build(&workspace::root()?, &["--bin", "vram"], &[]).map(Executable::plain)
            }
        }
    }
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
fn build_for(card: &Card, capability: Option<Capability>) -> miette::Result<Executable> {
    let root = workspace::root()?;
    let home = toolkit::for_build(&root)?;
    let (major, minor) = card.capability;
    let own = format!("{major}{minor}");
    let capability = capability.map_or(own, |Capability(number)| number.to_string());
    let mut variables = toolkit::variables(&home)?;
    variables.push(("CUDA_COMPUTE_CAP", capability.into()));
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
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
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
