//! Calibration files: fitted constants as presets and on disk.

use std::io;
use std::path::Path;

use vram_fit::calibration::Calibration;
use vram_fit::error::FitError;
use vram_presets::error::PresetError;
use vram_presets::library::{Library, Preset};
use vram_source::file::{ReadError, read_text};

use crate::error::ArtifactError;

/// The calibration that `arg` names: a preset or a file.
///
/// # Errors
///
/// One that cannot be found or read, or everything that is wrong with it.
pub fn load(library: &Library, arg: &str) -> Result<Preset<Calibration>, PresetError> {
    let Preset { label, origin, notes, spec } = library.calibration(arg)?;
    Ok(Preset { label, origin, notes, spec: Calibration::read(&spec)? })
}

/// Refuses to write over a file that is no calibration. One whose constants predict nothing is
/// one, too.
///
/// # Errors
///
/// [`ArtifactError::NoCalibration`].
pub fn refuse_other_file(path: &Path) -> Result<(), ArtifactError> {
    let parsed = match read_text(path) {
        Err(ReadError::System(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.ok().map(|text| Calibration::from_toml(&text)),
    };
    match parsed {
        None | Some(Err(FitError::Parse(_) | FitError::Format { .. })) => {
            Err(ArtifactError::NoCalibration { path: path.to_owned() })
        }
        Some(_) => Ok(()),
    }
}
