//! `vram trace`: any CUDA program on the card that is there, its requests for memory watched.

use std::ffi::OsString;

use vram_console::reply::Reply;

use crate::flags::{PlacesFlags, ReportFormat};

/// `vram trace`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "PROGRAM runs unmodified on the card, once, with a library between it and NVIDIA's driver that passes
every call on and counts what is asked of memory. At each mark that the program sets
(vram_metrics::mark) the driver's own counters are read beside ours. The program's output passes
through; the report goes to stderr.

With --stacks the report ranks what is alive at the peak by the program's own functions, with lines
where it was built with debug information (CARGO_PROFILE_RELEASE_DEBUG=line-tables-only).

The exit code is 0 if the program's was, it used memory of a card, and our counters are the driver's.
Linux, with NVIDIA's driver; without a card: vram dry-run.

Examples:
  vram trace -- target/release/train --batch 8
  vram trace --stacks --html peak.html -- target/release/train
  vram trace --format json -- ./train > peak.json"
)]
pub struct Args {
    #[command(flatten)]
    places: PlacesFlags,
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
    use vram_virtual_card::dry_run::Listener;
    use vram_virtual_card::requests::Wanted;
    use vram_virtual_card::trace::{Options, trace};

    use crate::virtual_card::{Watcher, invocation, names};
    use crate::where_bytes_are::{output, printed};

    args.places.refuse_unwritable()?;
    let options = Options {
        invocation: invocation(&args.program),
        driver: driver()?,
        requests: if args.places.want_stacks() { Wanted::Stacks } else { Wanted::Nothing },
        output: output(args.format),
    };
    let program = names(&args.program);
    terminal::say(&format!("running {} on the card that is there", program[0]));
    let watcher = Watcher::new()?;
    let traced = match trace(&options, &|| watcher.is_interrupted()) {
        Ok(traced) => traced,
        Err(error) => return watcher.reply(error),
    };
    let profile = args.places.profile(&traced.run.recording);
    let report = ProgramReport::of_trace(&program, &traced, profile.as_ref());
    args.places.write(profile.as_ref(), &report)?;
    // Where no pool was asked there is nothing that disagrees.
    let agrees = traced.difference().unwrap_or(0) == 0;
    let is_seen = traced.run.recording.processes.iter().any(|process| process.tally.requests > 0);
    let exit = match traced.run.ending.is_success() && agrees && is_seen {
        true => Exit::Done,
        false => Exit::Failed,
    };
    Ok(Reply { text: printed(args.format, &report)?, exit })
}

/// The real driver: where the loader finds it.
#[cfg(target_os = "linux")]
fn driver() -> miette::Result<std::path::PathBuf> {
    use miette::miette;
    use vram_metrics::driver::Driver;

    Driver::file().map_err(|error| {
        let advice = error.advice();
        miette!(help = format!("{advice}, or run it without a card: vram dry-run"), "{error}")
    })
}
