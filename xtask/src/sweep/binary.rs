//! Which executable measures: built here, or carried along. No path is baked in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use miette::{IntoDiagnostic, WrapErr, bail, miette};
use vram_cli::device::{self, Choice, DeviceError, Place, card, executable_name};
use vram_cli::room::{Context, Room};
use vram_cli::terminal;
use vram_metrics::Card;
use vram_presets::Library;
use vram_workload::DeviceKind;

use crate::{toolkit, workspace};

/// Where a sweep's rows run, and what runs them there.
pub struct Target {
    /// None is the CPU.
    pub card: Option<Card>,
    /// Carried along; none is built when it is needed.
    carried: Option<PathBuf>,
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
        let place = match (build, choice) {
            (false, _) => choice.resolve(&carried)?,
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
                (None, own.with_file_name(format!("vram{}", std::env::consts::EXE_SUFFIX)))
            }
        };
        if !build && !executable.is_file() {
            bail!(
                help = "leave out --no-build, or put it there",
                "{} is not there",
                executable.display()
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

    /// The executable, built if it was not carried along.
    pub fn executable(&self, capability: Option<&str>) -> miette::Result<PathBuf> {
        match (&self.carried, &self.card) {
            (Some(executable), _) => Ok(executable.clone()),
            (None, Some(card)) => build_for(card, capability),
            (None, None) => build(&workspace::root()?, &["--bin", "vram"], &[]),
        }
    }
}

/// Builds the CUDA probe, with a compiler that is installed or fetched.
fn build_for(card: &Card, capability: Option<&str>) -> miette::Result<PathBuf> {
    let root = workspace::root()?;
    let own = format!("{}.{}", card.capability.0, card.capability.1);
    let mut variables = vec![("CUDA_COMPUTE_CAP", capability.unwrap_or(&own).into())];
    if !toolkit::is_installed() {
        let home = toolkit::fetch(&toolkit::default_dir(&root)).wrap_err(
            "no CUDA compiler is installed, and the probe for the card needs one (--device cpu \
             measures without)",
        )?;
        variables.push(("CUDA_HOME", home.into_os_string()));
    }
    build(&root, &["--features", "cuda", "--bin", "vram-cuda"], &variables)
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
