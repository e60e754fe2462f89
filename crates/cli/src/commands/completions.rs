//! `vram completions`: what a shell completes.

use clap::Command;
use clap_complete::Shell;
use vram_console::reply::Reply;

/// `vram completions`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  vram completions bash > ~/.local/share/bash-completion/completions/vram
  vram completions zsh > ~/.zfunc/_vram            # with ~/.zfunc in fpath, before compinit
  vram completions fish > ~/.config/fish/completions/vram.fish
  vram completions powershell >> $PROFILE")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// `command` is the whole command line.
pub(crate) fn run(args: &Args, mut command: Command) -> miette::Result<Reply> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "vram", &mut script);
    Ok(Reply::done(String::from_utf8_lossy(&script)))
}
