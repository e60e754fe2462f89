//! `vram man`: the help as manual pages.

use clap::Command;
use clap_mangen::Man;
use miette::{IntoDiagnostic, miette};
use vram_console::reply::Reply;
use vram_source::nearest::nearest;

/// `vram man`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  vram man > vram.1
  vram man probe > vram-probe.1
  vram man sweep | man -l -")]
pub struct Args {
    /// The subcommand whose page is printed [default: the page of vram, which names them all]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// `command` is the whole command line.
pub(crate) fn run(args: &Args, mut command: Command) -> miette::Result<Reply> {
    // Names each subcommand with those above it, as a page does.
    command.build();
    let mut at = &command;
    for name in &args.command {
        at = at.find_subcommand(name).ok_or_else(|| unknown(at, name))?;
    }
    let title = at.get_display_name().unwrap_or(at.get_name()).to_owned();
    let mut page = Vec::new();
    Man::new(at.clone())
        .title(title)
        .source(concat!("vram ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)
        .into_diagnostic()?;
    Ok(Reply::done(String::from_utf8_lossy(&page)))
}

fn unknown(at: &Command, name: &str) -> miette::Report {
    let known: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
    let help = match (nearest(name, known.iter().copied()).as_slice(), known.is_empty()) {
        (_, true) => format!("{} has no subcommands", at.get_name()),
        ([], false) => format!("there are {}", known.join(", ")),
        (near, false) => format!("did you mean {}?", near.join(" or ")),
    };
    miette!(help = help, "{} has no subcommand `{name}`", at.get_name())
}
