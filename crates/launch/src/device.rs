//! The device that is meant, and the executable that measures on it.

use std::path::{Path, PathBuf};

use vram_metrics::driver::{Card, Driver, DriverError};
use vram_metrics::facts::DeviceFacts;

use crate::choice::DeviceChoice;
use crate::executable::Executable;
use crate::libraries::LibraryError;

/// Where a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the CPU, with the reason where it was not asked for.
    Cpu(Option<String>),
    /// On a card, in this executable.
    Cuda(Card, Executable),
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

impl DeviceChoice {
    /// The card that is meant, whatever executable there is for it; or why it is the CPU, where that
    /// was not asked for.
    ///
    /// # Errors
    ///
    /// A card was asked for by its number and cannot be used.
    #[tracing::instrument(level = "trace", name = "choose card", skip_all)]
    pub fn card(self) -> Result<Result<Card, Option<String>>, DeviceError> {
        let found = match self {
            Self::Cpu => return Ok(Err(None)),
            Self::Auto => card(0),
            Self::Cuda(ordinal) => card(ordinal),
        };
        match (self, found) {
            (_, Ok(card)) => Ok(Ok(card)),
            (Self::Auto, Err(why)) => {
                tracing::debug!("device: the CPU, for {why}");
                Ok(Err(Some(why.to_string())))
            }
            (_, Err(why)) => Err(why.into()),
        }
    }

    /// Where a command runs whose CUDA executable is `executable`.
    ///
    /// # Errors
    ///
    /// A card was asked for and cannot be used.
    #[tracing::instrument(level = "trace", name = "choose device", skip_all)]
    pub fn resolve(self, executable: &Path) -> Result<Place, DeviceError> {
        let ordinal = match self {
            Self::Cpu => {
                tracing::debug!("device: the CPU, as asked for");
                return Ok(Place::Cpu(None));
            }
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
        let place = match (self, found) {
            (Self::Auto, Err(why)) => Place::Cpu(Some(why.to_string())),
            (_, found) => found?,
        };
        match &place {
            Place::Cpu(Some(why)) => tracing::debug!("device: the CPU, for {why}"),
            // It was asked for.
            Place::Cpu(None) => {}
            Place::Cuda(card, executable) => {
                tracing::debug!("device: cuda:{}, {}, by {executable}", card.ordinal, card.name)
            }
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_asked_for_or_explained() {
        let nowhere = Path::new("/nowhere/vram-cuda");
        assert_eq!(DeviceChoice::Cpu.resolve(nowhere).unwrap(), Place::Cpu(None));
        // Whatever this machine has, it has no executable there.
        let Ok(Place::Cpu(Some(why))) = DeviceChoice::Auto.resolve(nowhere) else {
            panic!("no reason")
        };
        assert!(!why.is_empty());
        assert!(DeviceChoice::Cuda(0).resolve(nowhere).is_err());
    }
}
