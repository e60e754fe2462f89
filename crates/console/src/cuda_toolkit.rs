//! The CUDA toolkit of `vram` and `cargo xtask`: what is said of it, and its reply.

use std::path::{Path, PathBuf};

use miette::IntoDiagnostic;
use vram_launch::fetch_toolkit::{ToolkitEvent, fetch, installed};

use crate::reply::Reply;
use crate::terminal;

/// Names an installed toolkit, or fetches one: into `dir`, or where that is none into the directory
/// that `default_dir` names. The reply is the toolkit's home.
///
/// # Errors
///
/// None is installed, and none can be fetched.
pub fn run(
    dir: Option<&Path>,
    default_dir: impl FnOnce() -> miette::Result<PathBuf>,
) -> miette::Result<Reply> {
    let installed = installed(&mut tell);
    tracing::debug!("{} toolkit is installed", if installed.is_some() { "a" } else { "no" });
    let home = match (installed, dir) {
        (Some(home), _) => home,
        (None, Some(dir)) => fetch(&std::path::absolute(dir).into_diagnostic()?, &mut tell)?,
        (None, None) => fetch(&default_dir()?, &mut tell)?,
    };
    Ok(Reply::done(format!("{}\n", home.display())))
}

/// Says what happens while a toolkit is looked for and fetched.
pub fn tell(event: ToolkitEvent<'_>) {
    match event {
        ToolkitEvent::NotUsed { home, lacks } => {
            terminal::say(&format!("not used: {} lacks {}", home.display(), lacks.join(", ")));
        }
        ToolkitEvent::Fetching(dir) => {
            terminal::say(&format!("fetching the CUDA toolkit into {}", dir.display()));
        }
        _ => {}
    }
}
