//! A program on a virtual card, as often as it takes.

use serde::Serialize;

use crate::card::Card;
use crate::error::DryRunError;
use crate::pool::PoolSettings;
use crate::recording::{CardPeaks, Process, Recording};
use crate::requests::Wanted;
use crate::reserved::{Reserved, Span, reserved};
use crate::run::{Fill, Invocation, Output, Run};
use crate::verdict::{self, Reason, Refusal, Verdict};
use crate::watched::Stdin;
use crate::{library, program, run};

/// Runs of a dry run unless it is told otherwise: two with the same values, one with zeros, eight with
/// values of their own.
pub const RUNS: usize = 11;

/// What to run, and on what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program.
    pub invocation: Invocation,
    /// The card.
    pub card: Card,
    /// How often the program runs: twice with the same values, then with zeros, then with others.
    pub runs: usize,
    /// What is written down of the first run, request by request: later ones are there to be compared.
    pub requests: Wanted,
    /// Where the first run's output goes; that of later ones is kept.
    pub output: Output,
}

/// What a dry run found.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// The runs in their order.
    pub runs: Vec<Run>,
    /// The answer, or why there is none.
    pub outcome: Result<Answer, Refusal>,
}

/// The peak and how far it can be trusted.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// What may be said of the bytes that were asked for.
    pub verdict: Verdict,
    /// Why it is not more.
    pub reasons: Vec<Reason>,
    /// The peaks of each card in the first run.
    pub cards: Vec<CardPeaks>,
    /// The least and the most that any card's peak of reserved bytes was in the runs. Where it depends on
    /// how far the card is, and the calls were written down: on cards whose work takes time, which need not
    /// have in it what [`cards`](Self::cards) say, of one that is done with everything at once.
    pub reserved: Span,
    /// The same at each mark of the first run, where the calls were written down and it depends on how far
    /// the card is.
    pub reserved_at_marks: Vec<Span>,
    /// How the pools were set up that memory came from.
    pub settings: PoolSettings,
    /// Where the last peak of bytes asked for lies, in words.
    pub peak_at: String,
    /// Requests until the peak, and in all.
    pub requests: (u64, u64),
    /// Page-locked bytes of the host, at most.
    pub pinned_bytes: u64,
}

/// What is told while it runs.
pub trait Listener {
    /// The program is about to run for the `number`th time of `of`, from one.
    fn begins(&mut self, number: usize, of: usize);

    /// A run whose output was kept did not end as the first.
    fn failed(&mut self, number: usize, run: &Run);

    /// Whether somebody wants it to stop.
    fn is_interrupted(&self) -> bool;
}

/// The values of the runs: the same twice, zeros, and others.
fn fills(runs: usize) -> impl Iterator<Item = Fill> {
    let first = [Fill::Seed(1), Fill::Seed(1), Fill::Zeros];
    first.into_iter().chain((2..).map(Fill::Seed)).take(runs)
}

/// Runs a program on a virtual card.
///
/// # Errors
///
/// [`DryRunError`] if the program cannot be run, or nothing of it can be seen beforehand. What is found
/// while it runs is the [outcome](DryRun::outcome).
pub fn dry_run(options: &Options, listener: &mut dyn Listener) -> Result<DryRun, DryRunError> {
    let Options { invocation, card, runs, requests, output } = options;
    let program = program::find(&invocation.program)?;
    program::check(&program)?;
    let library = library::unpacked(&library::STAND_IN)?;
    let mut stdin = Stdin::default();
    let mut done: Vec<Run> = Vec::new();
    for (i, fill) in fills((*runs).max(1)).enumerate() {
        listener.begins(i + 1, *runs);
        let (output, wanted) =
            if i == 0 { (*output, *requests) } else { (Output::Kept, Wanted::Nothing) };
        let what = (program.as_path(), invocation.arguments.as_slice());
        let is_interrupted = || listener.is_interrupted();
        let from = (&mut stdin, &is_interrupted as &dyn Fn() -> bool);
        let run = run::run(what, (card, &library), (fill, wanted), output, from)?;
        if done.first().is_some_and(|first| first.ending != run.ending) {
            listener.failed(i + 1, &run);
        }
        let refused = verdict::refusal(&run);
        done.push(run);
        // A later run that does nothing is one that ended early.
        if let Some(refusal) = refused.filter(|_| i == 0) {
            return Ok(DryRun { runs: done, outcome: Err(refusal) });
        }
    }
    let answer = answer(&done);
    Ok(DryRun { runs: done, outcome: Ok(answer) })
}

fn answer(runs: &[Run]) -> Answer {
    let (verdict, reasons) = verdict::verdict(runs);
    let first = &runs[0].recording;
    let counting = runs.iter().filter(|run| run.ending == runs[0].ending);
    let seen = counting.map(|run| CardPeaks::most(&run.recording.cards, |card| card.reserved));
    let seen = Span::of(seen).unwrap_or(Span { least: 0, most: 0 });
    let main = &first.processes[0];
    let settings = main.settings.unwrap_or(PoolSettings::DEFAULT);
    let behind = behind(main, &settings);
    Answer {
        verdict,
        reasons,
        cards: first.cards.clone(),
        reserved: behind.as_ref().map_or(seen, |behind| among_runs(behind.peak, first, seen)),
        reserved_at_marks: behind.map_or_else(Vec::new, |behind| behind.at_marks),
        settings,
        peak_at: peak_at(main),
        requests: (main.at_peak.requests, main.tally.requests),
        pinned_bytes: first.processes.iter().map(|process| process.pinned_bytes).max().unwrap_or(0),
    }
}

/// What the first run may have reserved on cards that are behind, and more and less by as much as other
/// runs were than the first.
fn among_runs(behind: Span, first: &Recording, seen: Span) -> Span {
    let of_first = CardPeaks::most(&first.cards, |card| card.reserved);
    Span {
        least: (behind.least + seen.least).saturating_sub(of_first),
        most: (behind.most + seen.most).saturating_sub(of_first),
    }
}

/// What the card that held the most may have reserved on cards that are behind, if that matters.
fn behind(process: &Process, settings: &PoolSettings) -> Option<Reserved> {
    let requests = process.requests.as_ref().filter(|_| settings.depend_on_progress())?;
    let marks: Vec<u64> = process.marks.iter().map(|mark| mark.steps).collect();
    let (card, _) = (0..).zip(&process.cards).max_by_key(|(_, card)| card.reserved)?;
    Some(reserved(&requests.steps, card, &marks))
}

/// Between which marks the peak lies, in words.
fn peak_at(process: &Process) -> String {
    let before = process.at_peak.marks as usize;
    let next = (before < process.marks.len()).then(|| verdict::describe(&process.marks, before));
    let last = before.checked_sub(1).map(|last| verdict::describe(&process.marks, last));
    match (last, next) {
        (Some(last), Some(next)) => format!("between {last} and {next}"),
        (Some(last), None) => format!("after {last}"),
        (None, Some(next)) => format!("before {next}"),
        (None, None) => "before any mark".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_are_equal_and_the_others_differ() {
        let fills: Vec<Fill> = fills(RUNS).collect();
        assert_eq!(fills[..3], [Fill::Seed(1), Fill::Seed(1), Fill::Zeros]);
        assert_eq!(fills[3..], (2..=9).map(Fill::Seed).collect::<Vec<_>>());
    }
}
