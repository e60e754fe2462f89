//! `vram replay`: a sequence of memory requests on a card, call by call.

mod input;
mod outcome;

use std::path::PathBuf;

use miette::miette;
use vram_console::exit::Exit;
use vram_console::reply::Reply;
use vram_console::terminal;
use vram_launch::choice::DeviceChoice;
use vram_launch::device;
use vram_metrics::card_is_virtual;
use vram_metrics::driver::{Card, DriverError};
use vram_replay::error::{Refusal, ReplayError, Stopped};
use vram_replay::{card, model};

use crate::flags::LineFormat;
use input::Input;
use outcome::{Outcome, Played};

/// `vram replay`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "FILE has one call a line:

  set release_threshold 0            a setting of the pool: a number, max, on or off
  alloc 1 1048576 on 2               allocation 1, of 1 MiB, on stream 2; without `on`, stream 0
  free 1 on 2
  event 7 on 2                       records event 7 on stream 2
  wait 7 on 0                        stream 0 waits for it
  sync on 2                          the host waits; or `sync all`, `sync event 7`
  trim 33554432                      the pool keeps no less than this
  # a comment

They are played one by one in a memory pool that is made for them, and each is printed with what it
came to: ` = OFFSET USED RESERVED`, in bytes, the offset only of an allocation, from the first one.
What is printed can be played again; results that FILE has are compared with. Whether the card did
as the model of the driver's pool does is told at the end, and is no failure: the exit code is 0
unless a call was refused. docs/pool.md has the model's rules, each with a sequence that shows it.

A program's own calls are written by `vram dry-run --calls FILE`.

Examples:
  vram replay calls.txt
  vram replay --model calls.txt > expected.txt && vram replay expected.txt
  printf 'alloc 1 4096\\nfree 1\\nsync\\n' | vram replay --format json -")]
pub struct Args {
    /// Card to play on: cuda or cuda:N
    #[arg(long, value_name = "cuda:N", default_value = "cuda:0", value_parser = card_number)]
    device: usize,
    /// Play on the model of the driver's pool, without a card
    #[arg(long, conflicts_with = "device")]
    model: bool,
    /// How to print what was seen; as JSON with the comparisons
    #[arg(long, value_enum, default_value_t)]
    format: LineFormat,
    /// The sequence; - is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

fn card_number(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(DeviceChoice::Cuda(ordinal)) => Ok(ordinal),
        _ => Err("expected cuda or cuda:N; to play without a card: --model"),
    }
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let input = Input::read(&args.file)?;
    // What is wrong with a sequence is told before a card is asked for.
    let expected =
        model::play(&input.lines).map_err(|stopped| input.fault(stopped.index, &stopped.why))?;
    let (place, played) = if args.model {
        ("the model of the driver's pool".to_owned(), Ok(expected.clone()))
    } else {
        let card = device::card(args.device).map_err(no_card)?;
        let played = match card::play(&card, &input.lines) {
            Ok(seen) => Ok(seen),
            Err(ReplayError::Stopped(stopped)) => Err(stopped),
            Err(ReplayError::Card(error)) => return Err(no_card(error)),
            Err(error) => return Err(miette!("{error}")),
        };
        (name(&card), played)
    };
    let (seen, stopped) = match played {
        Ok(seen) => (seen, None),
        Err(Stopped { index, seen, why, .. }) => (seen, Some((index, why))),
    };
    let played = Played { place, lines: &input.lines, numbers: &input.numbers, seen };
    let outcome = Outcome::new(&played, (!args.model).then_some(expected.as_slice()));
    let text = match args.format {
        LineFormat::Json => format!("{:#}\n", outcome.json(&played)),
        LineFormat::Table => {
            tell(&outcome, &played);
            played.text()
        }
    };
    let exit = stopped.map_or(Exit::Done, |(index, why)| {
        complain(&input, index, &why);
        Exit::Failed
    });
    Ok(Reply { text, exit })
}

fn no_card(error: DriverError) -> miette::Report {
    let help = format!("{}, or play on the model: --model", error.advice());
    miette!(help = help, "{error}")
}

fn name(card: &Card) -> String {
    let kind = if card_is_virtual() { "a virtual " } else { "" };
    format!("cuda:{}, {kind}{}", card.ordinal, card.name)
}

/// A difference is said under `-q`, too.
fn tell(outcome: &Outcome, played: &Played<'_>) {
    let say = if outcome.differs() { terminal::warn } else { terminal::say };
    for line in outcome.summary(played) {
        say(&line);
    }
}

fn complain(input: &Input, index: usize, why: &Refusal) {
    terminal::complain(&input.fault(index, why));
}
