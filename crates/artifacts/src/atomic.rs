//! Files that are written whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::error::ArtifactError;

/// A record as a file holds it.
pub(crate) fn json(value: &impl Serialize) -> String {
    // Records have string keys and no fallible part.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text + "\n"
}

/// Writes a file whole or not at all: a reader never finds half of it, even after a crash.
///
/// # Errors
///
/// [`ArtifactError::Write`].
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let attempt = || {
        let mut file = tempfile::Builder::new().prefix(".partial-").tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        #[cfg(unix)]
        {
            // Temporary files are private; artifacts are as readable as other files.
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    attempt().map_err(|source| ArtifactError::Write { path: path.to_owned(), source })
}
