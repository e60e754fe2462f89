//! One run of the program.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::card::Card;
use crate::error::{DryRunError, file};
use crate::library::Unpacked;
use crate::protocol::{CARD_FILE, FILL_VARIABLE, LOST_FILE};
use crate::recording::Recording;
use crate::recording_file;
use crate::requests::Wanted;
use crate::watched::{self, Stdin};

pub use crate::watched::{Ending, Output};

/// A program and its arguments.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Its name or file.
    pub program: PathBuf,
    /// What it is called with.
    pub arguments: Vec<OsString>,
}

/// What computed memory reads as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Zeros.
    Zeros,
    /// Odd seeds are numbers between 1/16 and 1, multiples of four infinite or no numbers, other even
    /// ones small whole numbers.
    Seed(u64),
    /// What a real card computed.
    Computed,
}

impl std::fmt::Display for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Zeros => f.write_str("zeros"),
            Self::Seed(seed) => seed.fmt(f),
            Self::Computed => f.write_str("computed"),
        }
    }
}

/// What one run came to.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// What computed memory read as.
    pub fill: Fill,
    /// How the program ended.
    pub ending: Ending,
    /// What its processes did.
    pub recording: Recording,
    /// What it said, where that was kept.
    #[serde(skip)]
    pub output: Vec<u8>,
}

/// A directory for the files of a run.
pub(crate) fn directory() -> Result<tempfile::TempDir, DryRunError> {
    let directory = tempfile::Builder::new().prefix("vram-dry-run-").tempdir();
    directory.map_err(file("make a directory in", &std::env::temp_dir()))
}

/// Runs `program` once on `card`.
pub(crate) fn run(
    what: (&Path, &[OsString]),
    (card, library): (&Card, &Unpacked),
    (fill, requests): (Fill, Wanted),
    output: Output,
    (stdin, is_interrupted): (&mut Stdin, &dyn Fn() -> bool),
) -> Result<Run, DryRunError> {
    let directory = directory()?;
    let facts = directory.path().join(CARD_FILE);
    fs::write(&facts, card.facts()).map_err(file("write", &facts))?;
    if let Some(lost) = card.lost() {
        let link = directory.path().join(LOST_FILE);
        symlink(lost, &link).map_err(file("make", &link))?;
    }
    let mut command = watched::command(what, library, directory.path(), requests);
    command.env(FILL_VARIABLE, fill.to_string());
    let (ending, output) =
        watched::watch(command, directory.path(), output, Some(stdin), is_interrupted)?;
    Ok(Run { fill, ending, recording: recording_file::recording(directory.path())?, output })
}
