//! A program on a real card, with all that it asks of the driver's memory written down.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::DryRunError;
use crate::protocol::DRIVER_VARIABLE;
use crate::recording::RealCard;
use crate::requests::Wanted;
use crate::run::{self, Fill, Invocation, Output, Run};
use crate::{library, program, recording_file, watched};

/// What to run, and with which driver.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program.
    pub invocation: Invocation,
    /// The real driver, by its absolute path.
    pub driver: PathBuf,
    /// What is written down beside marks and counters.
    pub requests: Wanted,
    /// Where the program's output goes.
    pub output: Output,
}

/// What a real run was seen to do.
#[derive(Debug, Clone, Serialize)]
pub struct Traced {
    /// The run. What its cards' peaks hold as reserved is what pools said at marks; nothing is known of
    /// what is held beside what was asked for.
    pub run: Run,
    /// The cards that its processes used.
    pub cards: Vec<RealCard>,
    /// The version of the driver as `cuDriverGetVersion` says it; `None` where nothing of CUDA was called.
    pub driver_version: Option<u32>,
}

impl Traced {
    /// By how many bytes, at most, what went by was not what a pool of a card said at any mark; 0 where
    /// they agreed. `None` where no pool said anything.
    pub fn difference(&self) -> Option<u64> {
        let marks = self.run.recording.processes.iter().flat_map(|process| &process.marks);
        marks.filter_map(|mark| mark.difference()).max()
    }
}

/// Runs a program on the real card.
///
/// # Errors
///
/// [`DryRunError::NoDriver`] if the driver is not there or cannot be loaded; others if the program
/// cannot be run or what was seen cannot be read. That a program calls nothing of CUDA is none.
pub fn trace(options: &Options, is_interrupted: &dyn Fn() -> bool) -> Result<Traced, DryRunError> {
    let Options { invocation, driver, requests, output } = options;
    let program = program::find(&invocation.program)?;
    program::check(&program)?;
    check_driver(driver)?;
    let library = library::unpacked(&library::PASSING)?;
    let directory = run::directory()?;
    let what = (program.as_path(), invocation.arguments.as_slice());
    let mut command = watched::command(what, &library, directory.path(), *requests);
    command.env(DRIVER_VARIABLE, driver);
    let (ending, output) =
        watched::watch(command, directory.path(), *output, None, is_interrupted)?;
    let recording = recording_file::recording(directory.path())?;
    let processes = &recording.processes;
    if processes.iter().any(|process| process.lacks_driver) {
        return Err(DryRunError::NoDriver { driver: driver.clone() });
    }
    let mut cards: Vec<RealCard> = Vec::new();
    for card in processes.iter().flat_map(|process| &process.real_cards) {
        if !cards.contains(card) {
            cards.push(card.clone());
        }
    }
    let driver_version = processes.iter().find_map(|process| process.driver_version);
    let run = Run { fill: Fill::Computed, ending, recording, output };
    Ok(Traced { run, cards, driver_version })
}

/// A name without a directory would be found to be our own library.
fn check_driver(driver: &Path) -> Result<(), DryRunError> {
    if driver.is_absolute() && driver.is_file() {
        return Ok(());
    }
    Err(DryRunError::NoDriver { driver: driver.to_owned() })
}
