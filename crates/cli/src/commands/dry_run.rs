//! `vram dry-run`: any CUDA program on a virtual card.

use std::ffi::OsString;
use std::path::PathBuf;

use vram_console::reply::Reply;

use crate::flags::{CardFlags, PlacesFlags, ReportFormat};

/// `vram dry-run`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "PROGRAM runs unmodified, with stand-ins for NVIDIA's libraries that compute nothing and count every
allocation. It runs twice with the same values in place of what kernels would have computed, then
with zeros, then with others: a peak that never changes, and before which no such value was read, is
the card's, to the byte. The first run's output passes through; the report goes to stderr.

Used (allocated) is what the program asked for; reserved is what the driver's pool would hold for
that, by a model of the pool; needed is reserved with all that lies outside pools. The exit code is
0 if the program's was and there is a verdict.

With --stacks the report ranks what is alive at the peak by the program's own functions, with lines
where it was built with debug information (CARGO_PROFILE_RELEASE_DEBUG=line-tables-only).

Linux. Not programs that link cudart statically (PyTorch), nor those that bring NVIDIA's libraries.

Examples:
  vram dry-run -- target/release/train --batch 8
  vram dry-run --card h200 --vram 24GiB -- ./train
  vram dry-run --stacks --html peak.html -- target/release/train
  vram dry-run --folded peak.folded -- ./train && inferno-flamegraph peak.folded > peak.svg
  vram dry-run --runs 2 --format json -- ./train > peak.json
  vram dry-run --calls calls.txt -- ./train && vram replay --model calls.txt"
)]
pub struct Args {
    #[command(flatten)]
    card: CardFlags,
    /// Cards that the program sees
    #[arg(long, value_name = "N", default_value = "1")]
    cards: usize,
    /// Cards that have fallen off the bus: a file of their numbers, read again at every call that needs a
    /// card
    ///
    /// `2` is one that is gone, `2@1000` one that goes at the 1000th request for memory of it. The file
    /// may come later; a card that is lost stays so for the rest of the run.
    #[arg(long, value_name = "FILE")]
    lost_cards: Option<PathBuf>,
    /// How often the program runs
    #[arg(long, value_name = "N", default_value = "11", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    #[command(flatten)]
    places: PlacesFlags,
    /// Write the first run's calls to this file, for `vram replay`: those of the process that asked for
    /// the most, to the pools of the card that it held most of
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// How to print the report; as JSON or Markdown it has stdout, the program's output goes to stderr
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
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
    use vram_console::exit::Exit;
    use vram_console::terminal;
    use vram_report::program::ProgramReport;
    use vram_report::units::times;
    use vram_virtual_card::card::Card;
    use vram_virtual_card::dry_run::{Options, dry_run};
    use vram_virtual_card::requests::Wanted;

    use crate::calls;
    use crate::virtual_card::{Watcher, invocation, names, refused};
    use crate::where_bytes_are::{output, printed};

    args.places.refuse_unwritable()?;
    let mut card = Card::new(&args.card.card, args.card.vram, args.cards).map_err(refused)?;
    if let Some(file) = &args.lost_cards {
        card = card.with_lost(file).map_err(refused)?;
    }
    let options = Options {
        invocation: invocation(&args.program),
        card: card.clone(),
        runs: args.runs as usize,
        // What may be reserved on a card that is behind is told from the calls.
        requests: if args.places.want_stacks() { Wanted::Stacks } else { Wanted::Calls },
        output: output(args.format),
    };
    let program = names(&args.program);
    let times = times(args.runs.into());
    terminal::say(&format!("running {} {times} on a virtual {}", program[0], card.model().name));
    let mut watcher = Watcher::new()?;
    let found = match dry_run(&options, &mut watcher) {
        Ok(found) => found,
        Err(error) => return watcher.reply(error),
    };
    let profile = args.places.profile(&found.runs[0].recording);
    let report = ProgramReport::of_dry_run(&program, &card, &found, profile.as_ref());
    args.places.write(profile.as_ref(), &report)?;
    let written = args.calls.as_deref().is_none_or(|file| calls::write(file, &found.runs[0]));
    let exit = match found.outcome.is_ok() && found.runs[0].ending.is_success() && written {
        true => Exit::Done,
        false => Exit::Failed,
    };
    Ok(Reply { text: printed(args.format, &report)?, exit })
}
