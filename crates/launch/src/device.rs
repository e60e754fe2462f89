//! The device that is meant, and the executable that measures on it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use vram_metrics::driver::{Card, Driver, DriverError};
use vram_metrics::facts::DeviceFacts;

use crate::choice::DeviceChoice;
use crate::executable::Executable;
use crate::libraries::LibraryError;

/// Where a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<E = Executable> {
    /// On the CPU, with the reason where it was not asked for.
    Cpu(Option<String>),
    /// On a card, in this executable.
    Cuda(Card, E),
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

/// Numbers of the cards that this process sees.
///
/// # Errors
///
/// No driver, or no card.
pub fn ordinals() -> Result<Range<usize>, DriverError> {
    Ok(0..Driver::open()?.count()?)
}

/// What is known now of a card, or of this host where there is none.
pub fn facts(card: Option<&Card>) -> DeviceFacts {
    let Some(card) = card else { return DeviceFacts::host() };
    let driver = Driver::open().and_then(|driver| driver.version()).unwrap_or_default();
    DeviceFacts::card(card, driver)
}

impl DeviceChoice {
    /// Where a command runs whose CUDA executable is `executable`.
    ///
    /// # Errors
    ///
    /// A card was asked for and cannot be used.
    pub fn resolve(self, executable: &Path) -> Result<Place, DeviceError> {
        let place = self.place(|_| {
            let path = executable.to_owned();
            if !executable.is_file() {
                return Err(DeviceError::NoExecutable { path });
            }
            Ok(Executable::for_cards(path)?)
        })?;
        if let Place::Cuda(card, executable) = &place {
            tracing::debug!("device: cuda:{}, {}, by {executable}", card.ordinal, card.name);
        }
        Ok(place)
    }

    /// Where a command runs for whose card `executable` finds what runs there.
    ///
    /// # Errors
    ///
    /// A card was asked for and cannot be used.
    #[tracing::instrument(level = "trace", name = "choose device", skip_all)]
    pub fn place<E>(
        self,
        executable: impl FnOnce(&Card) -> Result<E, DeviceError>,
    ) -> Result<Place<E>, DeviceError> {
        let ordinal = match self {
            Self::Cpu => {
                tracing::debug!("device: the CPU, as asked for");
                return Ok(Place::Cpu(None));
            }
            Self::Auto => 0,
            Self::Cuda(ordinal) => ordinal,
        };
        let found = card(ordinal).map_err(DeviceError::from);
        let found = found.and_then(|card| Ok((executable(&card)?, card)));
        match (self, found) {
            (_, Ok((executable, card))) => Ok(Place::Cuda(card, executable)),
            (Self::Auto, Err(why)) => {
                tracing::debug!("device: the CPU, for {why}");
                Ok(Place::Cpu(Some(why.to_string())))
            }
            (_, Err(why)) => Err(why),
        }
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
