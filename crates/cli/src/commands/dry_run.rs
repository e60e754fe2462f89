//! `vram dry-run`: any CUDA program on a virtual card.

use std::ffi::OsString;

use vram_console::reply::Reply;

use crate::flags::{CardFlags, ListFormat};

/// `vram dry-run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "PROGRAM runs unmodified, with stand-ins for NVIDIA's libraries that compute nothing and count every
allocation. It runs twice with the same values in place of what kernels would have computed, then
with zeros, then with others: a peak that never changes, and before which no such value was read, is
the card's, to the byte. The first run's output passes through; the report goes to stderr.

Used (allocated) is what the program asked for; reserved is what the driver's pool would hold for
that, by a model of the pool; needed is reserved with all that lies outside pools. The exit code is
0 if the program's was and there is a verdict.

Linux. Not programs that link cudart statically (PyTorch), nor those that bring NVIDIA's libraries.

Examples:
  vram dry-run -- target/release/train --batch 8
  vram dry-run --card h200 --vram 24GiB -- ./train
  vram dry-run --runs 2 --format json -- ./train > peak.json"
)]
pub struct Args {
    #[command(flatten)]
    card: CardFlags,
    /// Cards that the program sees
    #[arg(long, value_name = "N", default_value = "1")]
    cards: usize,
    /// How often the program runs
    #[arg(long, value_name = "N", default_value = "11", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// How to print the report; as JSON it has stdout, and the program's output goes to stderr
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM ARGS")]
    program: Vec<OsString>,
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(_: &Args) -> miette::Result<Reply> {
    Err(crate::virtual_card::only_on_linux())
}

#[cfg(target_os = "linux")]
pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    use miette::IntoDiagnostic;
    use vram_console::exit::Exit;
    use vram_console::terminal;
    use vram_report::dry_run::DryRunReport;
    use vram_report::units::times;
    use vram_virtual_card::card::Card;
    use vram_virtual_card::dry_run::{Options, dry_run};
    use vram_virtual_card::requests::Wanted;
    use vram_virtual_card::run::Output;

    use crate::virtual_card::{Watcher, invocation, names, refused};

    let card = Card::new(&args.card.card, args.card.vram, args.cards).map_err(refused)?;
    let options = Options {
        invocation: invocation(&args.program),
        card: card.clone(),
        runs: args.runs as usize,
        requests: Wanted::Calls,
        output: match args.format {
            ListFormat::Table => Output::Through,
            ListFormat::Json => Output::ToStderr,
        },
    };
    let program = names(&args.program);
    let times = times(args.runs.into());
    terminal::say(&format!("running {} {times} on a virtual {}", program[0], card.model().name));
    let mut watcher = Watcher::new()?;
    let found = match dry_run(&options, &mut watcher) {
        Ok(found) => found,
        Err(error) => return watcher.reply(error),
    };
    let report = DryRunReport::new(&program, &card, &found);
    let exit = match found.outcome.is_ok() && found.runs[0].ending.is_success() {
        true => Exit::Done,
        false => Exit::Failed,
    };
    let text = match args.format {
        ListFormat::Json => serde_json::to_string_pretty(&report).into_diagnostic()? + "\n",
        ListFormat::Table => {
            terminal::warn(report.text().trim_end());
            String::new()
        }
    };
    Ok(Reply { text, exit })
}
