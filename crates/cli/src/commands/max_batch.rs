//! `vram max-batch`: the largest number with which a program fits a card.

use std::ffi::OsString;

use vram_console::list_format::ListFormat;
use vram_console::reply::Reply;
use vram_metrics::verdict::VRAM_GUARD_RATIO;

use crate::flags::{CardFlags, ratio};

/// `vram max-batch`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "PROGRAM runs on a virtual card with a number in place of {} in its arguments: doubled until it does
not fit, then halved. It fits if no allocation fails, what its pools reserve is within guard x the
card's memory, and that with all that lies outside pools is within the card. The number after the
one that is found was tried, and does not fit.

Examples:
  vram max-batch --vram 24GiB -- target/release/train --batch {}
  vram max-batch --card h200 --guard 1 -- ./train --size={} --steps 2"
)]
pub struct Args {
    #[command(flatten)]
    card: CardFlags,
    /// Part of the memory that reserved may reach
    #[arg(long, value_name = "RATIO", default_value_t = VRAM_GUARD_RATIO, value_parser = ratio)]
    guard: f64,
    /// How to print the number
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    /// The program and its arguments, {} where the number goes
    #[arg(last = true, required = true, value_name = "PROGRAM ARGS")]
    program: Vec<OsString>,
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(_: &Args) -> miette::Result<Reply> {
    Err(crate::virtual_card::only_on_linux())
}

#[cfg(target_os = "linux")]
pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    use miette::{IntoDiagnostic, miette};
    use vram_console::exit::Exit;
    use vram_console::terminal;
    use vram_report::max_batch::{MaxBatchReport, trial_line};
    use vram_virtual_card::card::Card;
    use vram_virtual_card::dry_run::Listener;
    use vram_virtual_card::max_batch::{MaxBatchError, Options, max_batch};

    use crate::virtual_card::{Watcher, invocation, names, refused};

    let card = Card::new(&args.card.card, args.card.vram, 1).map_err(refused)?;
    let options =
        Options { invocation: invocation(&args.program), card: card.clone(), guard: args.guard };
    let program = names(&args.program);
    terminal::say(&format!("running {} on a virtual {}", program[0], card.model().name));
    let watcher = Watcher::new()?;
    let found = max_batch(&options, &|| watcher.is_interrupted(), &mut |trial| {
        terminal::say(&trial_line(trial))
    });
    let found = match found {
        Ok(found) => found,
        Err(MaxBatchError::DryRun(error)) => return watcher.reply(error),
        Err(error @ MaxBatchError::NoPlaceholder) => return Err(miette!("{error}")),
        Err(error) => {
            terminal::warn(&format!("error: {error}"));
            if let MaxBatchError::Failed { output, .. } = &error {
                terminal::warn(String::from_utf8_lossy(output).trim_end());
            }
            return Ok(Reply { text: String::new(), exit: Exit::Failed });
        }
    };
    let report = MaxBatchReport::new(&program, &card, args.guard, &found);
    let text = match args.format {
        ListFormat::Json => serde_json::to_string_pretty(&report).into_diagnostic()? + "\n",
        ListFormat::Csv => report.csv(),
        ListFormat::Table => report.text(),
    };
    let exit = if found.largest.is_some() { Exit::Done } else { Exit::Failed };
    Ok(Reply { text, exit })
}
