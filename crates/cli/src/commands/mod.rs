//! One file per subcommand: its arguments, and what it does with them.

pub mod bandwidth;
pub mod capacity;
pub mod env;
pub mod explain;
pub mod fit;
pub mod predict;
pub mod presets;
pub mod probe;
pub mod report;
pub mod workload_id;

use miette::IntoDiagnostic;
use vram_presets::Library;

use crate::Exit;
use crate::args::{Args, Command};

/// What a subcommand has to say on stdout, and how the process then ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Everything that goes to stdout, with its last newline.
    pub text: String,
    /// How the process ends.
    pub exit: Exit,
}

impl Reply {
    /// A command that did what it was asked for.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Done }
    }
}

/// Runs the subcommand that `args` name.
///
/// # Errors
///
/// Bad input: the process is to end with [`Exit::Refused`].
pub fn run(args: &Args) -> miette::Result<Reply> {
    match &args.command {
        Command::Probe(args) => probe::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Capacity(args) => capacity::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Fit(args) => fit::run(args),
        Command::Report(args) => report::run(args),
        Command::Presets(args) => presets::run(args),
        Command::WorkloadId(args) => workload_id::run(args),
        Command::Env(args) => env::run(args),
        Command::Bandwidth(args) => bandwidth::run(args),
    }
}

/// As [`run`], in the executable that runs on a card.
///
/// # Errors
///
/// As [`run`].
#[cfg(feature = "cuda")]
pub fn run_on_card(args: &Args) -> miette::Result<Reply> {
    match &args.command {
        Command::Probe(args) => probe::run_on_card(args),
        Command::Env(args) => env::run_on_card(args),
        Command::Bandwidth(args) => bandwidth::run_on_card(args),
        _ => run(args),
    }
}

/// The presets that a command run here sees.
fn library() -> miette::Result<Library> {
    let here = std::env::current_dir().into_diagnostic()?;
    Ok(Library::discover(&here))
}
