//! A file that can be started, with the libraries that it needs.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use vram_metrics::card_is_virtual;

use crate::libraries::{LIBRARY_PATH, LibraryError, library_path};

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

    /// The one for cards, with every library that it needs. On a virtual card nothing is looked for:
    /// what stands in for those libraries is what the loader finds, and a real one beside it would
    /// allocate unseen.
    ///
    /// # Errors
    ///
    /// A library that it needs is missing or broken.
    pub fn for_cards(path: PathBuf) -> Result<Self, LibraryError> {
        if card_is_virtual() {
            return Ok(Self::plain(path));
        }
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

impl fmt::Display for Executable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.library_path {
            Some(path) => write!(f, " with {LIBRARY_PATH}={}", path.to_string_lossy()),
            None => Ok(()),
        }
    }
}

/// Name of the executable for cards.
pub fn cuda_executable_name() -> String {
    format!("vram-cuda{}", std::env::consts::EXE_SUFFIX)
}

/// Where this executable lies, and others beside it.
///
/// # Errors
///
/// If the system does not say.
pub fn own_dir() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().unwrap_or(&own).to_owned())
}
