//! Which device a command runs on, and how it gets there.
//!
//! `vram` itself links no CUDA and starts on every machine. What runs on a card is a second
//! executable, `vram-cuda`, which takes the same command line; `vram` asks the driver first, and loads
//! what `vram-cuda` links, so that what is missing is said in words and not by a loader.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use miette::IntoDiagnostic;
use vram_metrics::{Card, DeviceFacts, Driver, DriverError};

#[cfg(not(unix))]
use crate::Exit;
use crate::Reply;
use crate::libraries::{LIBRARY_PATH, LibraryError, library_path};

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// A card if one can be used, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The card of this number, the first without one.
    Cuda(usize),
}

impl FromStr for Choice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Ok(ordinal))) => Ok(Self::Cuda(ordinal)),
            _ => Err("expected auto, cpu, cuda or cuda:N"),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// Where a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the CPU, with the reason where it was not asked for.
    Cpu(Option<String>),
    /// On a card, in this executable.
    Cuda(Card, Executable),
}

/// A file that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    path: PathBuf,
    /// What the loader has to be told of.
    library_path: Option<OsString>,
}

impl Executable {
    /// One that needs nothing which the system's loader does not find.
    pub fn plain(path: PathBuf) -> Self {
        Self { path, library_path: None }
    }

    /// The one for cards, with every library that it needs.
    ///
    /// # Errors
    ///
    /// A library that it needs is missing or broken.
    pub fn for_cards(path: PathBuf) -> Result<Self, LibraryError> {
        Ok(Self { library_path: library_path(&path)?, path })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(path) = &self.library_path {
            command.env(LIBRARY_PATH, path);
        }
        command
    }
}

/// Why the device that was asked for cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum DeviceError {
    /// There is no driver, or no such card.
    #[error(transparent)]
    #[diagnostic(help("{}, or run on the CPU: --device cpu", .0.advice()))]
    Driver(#[from] DriverError),

    /// This `vram` came without its CUDA executable.
    #[error("there is a card, but no CUDA probe: {} is not there", path.display())]
    #[diagnostic(help(
        "`cargo xtask sweep` builds it, as does `cargo build --release --package vram-cli \
         --features cuda --bin vram-cuda`; or run on the CPU: --device cpu"
    ))]
    NoExecutable {
        /// Where it should be.
        path: PathBuf,
    },

    /// A library that the CUDA executable needs is missing or broken.
    #[error(transparent)]
    #[diagnostic(help("{}; or run on the CPU: --device cpu", .0.advice()))]
    Library(#[from] LibraryError),
}

/// The card that is meant.
///
/// # Errors
///
/// No driver, or no such card.
pub fn card(ordinal: usize) -> Result<Card, DriverError> {
    Driver::open()?.card(ordinal)
}

/// What is known now of a card, or of this host where there is none.
pub fn facts(card: Option<&Card>) -> DeviceFacts {
    let Some(card) = card else { return DeviceFacts::host() };
    let driver = Driver::open().and_then(|driver| driver.version()).unwrap_or_default();
    DeviceFacts::card(card, driver)
}

impl Choice {
    /// Where a command runs whose CUDA executable is `executable`.
    ///
    /// # Errors
    ///
    /// A card was asked for and cannot be used.
    pub fn resolve(self, executable: &Path) -> Result<Place, DeviceError> {
        let ordinal = match self {
            Self::Cpu => return Ok(Place::Cpu(None)),
            Self::Auto => 0,
            Self::Cuda(ordinal) => ordinal,
        };
        let found = card(ordinal).map_err(DeviceError::from).and_then(|card| {
            let path = executable.to_owned();
            if !executable.is_file() {
                return Err(DeviceError::NoExecutable { path });
            }
            Ok(Place::Cuda(card, Executable::for_cards(path)?))
        });
        match (self, found) {
            (Self::Auto, Err(why)) => Ok(Place::Cpu(Some(why.to_string()))),
            (_, found) => found,
        }
    }
}

/// Name of the CUDA executable.
pub fn executable_name() -> String {
    format!("vram-cuda{}", std::env::consts::EXE_SUFFIX)
}

/// The CUDA executable beside this one.
///
/// # Errors
///
/// If the system does not say where this one is.
pub fn executable_beside() -> miette::Result<PathBuf> {
    let own = std::env::current_exe().into_diagnostic()?;
    Ok(own.with_file_name(executable_name()))
}

/// Lets `executable` do what this process was asked for: in its place where the system allows,
/// as a child otherwise.
pub(crate) fn hand_over(executable: &Executable) -> miette::Result<Reply> {
    let mut command = executable.command();
    command.args(std::env::args_os().skip(1));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(miette::miette!("cannot start {}: {error}", executable.path.display()))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().into_diagnostic()?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        let exit = Exit::ALL.into_iter().find(|exit| Some(exit.code()) == code);
        Ok(Reply { text: String::new(), exit: exit.unwrap_or(Exit::Failed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for (text, choice) in [
            ("auto", Choice::Auto),
            ("cpu", Choice::Cpu),
            ("cuda:0", Choice::Cuda(0)),
            ("cuda:3", Choice::Cuda(3)),
        ] {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(Choice::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda0", "CPU"] {
            assert!(wrong.parse::<Choice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_cpu_is_asked_for_or_explained() {
        let nowhere = Path::new("/nowhere/vram-cuda");
        assert_eq!(Choice::Cpu.resolve(nowhere).unwrap(), Place::Cpu(None));
        // Whatever this machine has, it has no executable there.
        let Ok(Place::Cpu(Some(why))) = Choice::Auto.resolve(nowhere) else { panic!("no reason") };
        assert!(!why.is_empty());
        assert!(Choice::Cuda(0).resolve(nowhere).is_err());
    }
}
