//! What goes wrong before or beside a dry run.

use std::io;
use std::path::PathBuf;

/// Why there is no dry run, or none that says anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DryRunError {
    /// The stand-in was not built: for Linux with glibc on x86-64 or 64-bit Arm alone.
    #[error(
        "this build has no virtual card: it is made for Linux with glibc on x86_64 and aarch64"
    )]
    NotBuilt,

    /// There is no such card.
    #[error("there is no card `{name}`; recorded are {}", known.join(", "))]
    UnknownCard {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },

    /// More cards than a run can have, or none.
    #[error("a run has 1 to {most} cards, not {cards}")]
    CardCount {
        /// What was asked for.
        cards: usize,
        /// As many as there can be.
        most: usize,
    },

    /// A file names cards that have fallen off the bus, and something else.
    #[error("`{word}` in {} is no card of the run, which has {cards}", path.display())]
    LostCards {
        /// The file.
        path: PathBuf,
        /// The word.
        word: String,
        /// How many cards there are.
        cards: usize,
    },

    /// The program is not there.
    #[error("there is no program `{}`", program.display())]
    NoProgram {
        /// As it was named.
        program: PathBuf,
    },

    /// The program takes no library from outside.
    #[error("{} is linked statically: no library can stand in for NVIDIA's", program.display())]
    Static {
        /// The program's file.
        program: PathBuf,
    },

    /// The program is for another kind of machine.
    #[error("{} is not a program for this machine: {why}", program.display())]
    NotForThisMachine {
        /// The program's file.
        program: PathBuf,
        /// In what way.
        why: &'static str,
    },

    /// The program could not be started.
    #[error("cannot start {}", program.display())]
    Start {
        /// The program's file.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The stand-in has no place that the loader can be told of.
    #[error(
        "the loader cannot be told of {}: there is a space, `:`, `;` or `$` in it; set \
         XDG_CACHE_HOME or TMPDIR to another directory",
        directory.display()
    )]
    NotInLists {
        /// Where it would lie.
        directory: PathBuf,
    },

    /// There is no driver to pass calls on to.
    #[error("{} cannot be loaded as the driver", driver.display())]
    NoDriver {
        /// The file that was named.
        driver: PathBuf,
    },

    /// A file of ours could not be written or read.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// What the stand-in wrote is not what was agreed.
    #[error("{} is not what the virtual card writes: {what}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },

    /// Somebody interrupted it.
    #[error("interrupted")]
    Interrupted,
}

/// For `map_err`: what was to be done with which file.
pub(crate) fn file<'a>(
    action: &'static str,
    path: &'a std::path::Path,
) -> impl FnOnce(io::Error) -> DryRunError + 'a {
    move |source| DryRunError::File { action, path: path.to_owned(), source }
}
