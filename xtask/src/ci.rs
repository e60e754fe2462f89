//! `cargo xtask ci`: everything that a change must pass.

use std::process::Command;

use miette::{IntoDiagnostic, WrapErr};
use vram_console::exit::Exit;
use vram_console::reply::Reply;

use crate::workspace;

/// Check everything that a change must pass, cheapest first
///
/// Runs `.ci/run`, as the project's continuous integration does.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: &Args) -> miette::Result<Reply> {
    let status = Command::new("bash")
        .arg(".ci/run")
        .current_dir(workspace::root()?)
        .status()
        .into_diagnostic()
        .wrap_err("cannot start bash")?;
    let exit = if status.success() { Exit::Done } else { Exit::Failed };
    Ok(Reply { text: String::new(), exit })
}
