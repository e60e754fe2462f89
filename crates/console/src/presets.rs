//! The presets that a command sees.

use miette::IntoDiagnostic;
use vram_presets::library::Library;

/// The built-in presets and those of the nearest `presets/` folder at or above the working directory.
///
/// # Errors
///
/// If the system does not say which directory that is.
pub fn library() -> miette::Result<Library> {
    let _span = tracing::trace_span!("find presets").entered();
    let here = std::env::current_dir().into_diagnostic()?;
    let library = Library::discover(&here);
    match library.folder() {
        Some(folder) => {
            tracing::debug!("presets: of {}, then those that are built in", folder.display());
        }
        None => tracing::debug!(
            "presets: those that are built in, for no presets folder is in {} or above",
            here.display()
        ),
    }
    Ok(library)
}
