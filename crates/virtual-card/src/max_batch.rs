//! The largest number with which a program fits a card.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::Serialize;

use crate::card::Card;
use crate::error::DryRunError;
use crate::recording::{CardPeaks, Failed};
use crate::requests::Wanted;
use crate::run::{Ending, Fill, Invocation, Output, Run};
use crate::verdict::{self, Refusal};
use crate::watched::Stdin;
use crate::{library, program, run};

/// What stands for the number in the program's arguments.
pub const PLACEHOLDER: &str = "{}";

/// Runs with the number that was found: the order of requests, and with it what is reserved, may differ
/// from run to run.
const CONFIRMATIONS: usize = 3;

/// A program whose peak is no higher with so many times the number does not grow with it.
const SAME_FOR: u64 = 16;

/// Beyond it nobody looks: a batch of this size is none.
const MOST: u64 = 1 << 32;

/// What to run, and on what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program, with [`PLACEHOLDER`] in its arguments.
    pub invocation: Invocation,
    /// The card.
    pub card: Card,
    /// The part of the card's memory that reserved may reach.
    pub guard: f64,
}

/// What keeps a number from fitting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "what", rename_all = "snake_case")]
pub enum Bound {
    /// Reserved is more than the guard's part of the card, in bytes.
    Guard(u64),
    /// The sum of reserved, what lies outside pools, contexts and libraries is more than the card
    /// has, in bytes.
    Card(u64),
    /// An allocation had no room.
    Allocation(Failed),
}

/// A number that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// The number.
    pub number: u64,
    /// The most of any one card, in bytes.
    pub peaks: CardPeaks,
    /// What kept it from fitting; none if it fits.
    pub bound: Option<Bound>,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct MaxBatch {
    /// The largest number that fits; none where 1 does not.
    pub largest: Option<Trial>,
    /// The next one, which does not fit.
    pub next: Trial,
    /// Runs of the program.
    pub runs: usize,
    /// Whether the program asks how much memory is free: it may size itself by the answer.
    pub reads_free_memory: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaxBatchError {
    /// The program cannot be run.
    #[error(transparent)]
    DryRun(#[from] DryRunError),
    /// Nothing stands for the number.
    #[error("no argument of the program has {PLACEHOLDER} in it, where the number goes")]
    NoPlaceholder,
    /// A run says nothing of memory.
    #[error("with {number} nothing can be said of the program")]
    Refused {
        /// The number.
        number: u64,
        /// Why.
        refusal: Refusal,
    },
    /// The program failed, and not for want of memory.
    #[error("with {number} the program ended with {ending}, and no allocation had failed")]
    Failed {
        /// The number.
        number: u64,
        /// How it ended.
        ending: Ending,
        /// What it said.
        output: Vec<u8>,
    },
    /// What the program holds does not grow with the number.
    #[error(
        "the program's memory does not grow with the number: {least} and {most} peak alike{}",
        if *reads_free_memory {
            "; it asks how much memory is free, and may size itself by the answer"
        } else {
            ""
        }
    )]
    DoesNotGrow {
        /// The number with the highest peak.
        least: u64,
        /// A much larger one, whose peak is no higher.
        most: u64,
        /// Whether the program asks how much memory is free.
        reads_free_memory: bool,
    },
}

/// Finds the largest number with which the program fits: doubled until it does not, then halved.
/// `tell` is called with every trial.
///
/// # Errors
///
/// [`MaxBatchError`].
pub fn max_batch(
    options: &Options,
    is_interrupted: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&Trial),
) -> Result<MaxBatch, MaxBatchError> {
    let mut search = Search::new(options, is_interrupted, tell)?;
    let mut fits: Option<Trial> = None;
    let mut next = search.try_number(1)?;
    // Where shapes depend on values, more may hold less now and then.
    let mut largest_peak = (next.peaks.asked, next.number);
    while next.bound.is_none() {
        let double = next.number * 2;
        let more = search.try_number(double)?;
        let (peak, grew_at) = largest_peak;
        if more.bound.is_none() && (double / grew_at > SAME_FOR || double > MOST) {
            let reads_free_memory = search.reads_free_memory;
            return Err(MaxBatchError::DoesNotGrow {
                least: grew_at,
                most: double,
                reads_free_memory,
            });
        }
        if more.peaks.asked > peak {
            largest_peak = (more.peaks.asked, double);
        }
        fits = Some(std::mem::replace(&mut next, more));
    }
    while let Some(low) = fits.as_ref().map(|trial| trial.number)
        && next.number - low > 1
    {
        let middle = search.try_number(low + (next.number - low) / 2)?;
        match middle.bound {
            None => fits = Some(middle),
            Some(_) => next = middle,
        }
    }
    while let Some(found) = &fits {
        match search.confirm(found.number)? {
            None => break,
            Some(failed) => {
                fits = match found.number - 1 {
                    0 => None,
                    lower => Some(search.try_number(lower)?),
                };
                next = failed;
            }
        }
    }
    Ok(MaxBatch {
        largest: fits,
        next,
        runs: search.runs,
        reads_free_memory: search.reads_free_memory,
    })
}

struct Search<'a> {
    options: &'a Options,
    program: std::path::PathBuf,
    library: library::Unpacked,
    stdin: Stdin,
    is_interrupted: &'a dyn Fn() -> bool,
    tell: &'a mut dyn FnMut(&Trial),
    runs: usize,
    reads_free_memory: bool,
}

impl<'a> Search<'a> {
    fn new(
        options: &'a Options,
        is_interrupted: &'a dyn Fn() -> bool,
        tell: &'a mut dyn FnMut(&Trial),
    ) -> Result<Self, MaxBatchError> {
        let Invocation { program, arguments } = &options.invocation;
        if !arguments.iter().any(|argument| with_number(argument, 1) != *argument) {
            return Err(MaxBatchError::NoPlaceholder);
        }
        let program = program::find(program)?;
        program::check(&program)?;
        Ok(Self {
            options,
            program,
            library: library::unpacked(&library::STAND_IN)?,
            stdin: Stdin::default(),
            is_interrupted,
            tell,
            runs: 0,
            reads_free_memory: false,
        })
    }

    /// Runs the program with this number.
    fn try_number(&mut self, number: u64) -> Result<Trial, MaxBatchError> {
        let arguments: Vec<OsString> =
            self.options.invocation.arguments.iter().map(|a| with_number(a, number)).collect();
        let (what, on) =
            ((self.program.as_path(), &*arguments), (&self.options.card, &self.library));
        let from = (&mut self.stdin, self.is_interrupted);
        let run = run::run(what, on, (Fill::Seed(1), Wanted::Nothing), Output::Kept, from)?;
        self.runs += 1;
        let asked = run.recording.processes.iter().any(|p| p.tally.free_memory_read > 0);
        self.reads_free_memory |= asked;
        let trial = self.judge(number, run)?;
        (self.tell)(&trial);
        Ok(trial)
    }

    /// Runs it again with a number that fitted. The trial that did not fit, if one did not.
    fn confirm(&mut self, number: u64) -> Result<Option<Trial>, MaxBatchError> {
        for _ in 0..CONFIRMATIONS {
            match self.try_number(number) {
                Ok(trial) if trial.bound.is_some() => return Ok(Some(trial)),
                Ok(_) => {}
                // A program that does not run twice, since its output is there, has fitted once.
                Err(MaxBatchError::Failed { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn judge(&self, number: u64, run: Run) -> Result<Trial, MaxBatchError> {
        let failed = run.recording.processes.iter().find_map(|process| process.failed.first());
        if failed.is_none() {
            if !run.ending.is_success() {
                let (ending, output) = (run.ending, run.output);
                return Err(MaxBatchError::Failed { number, ending, output });
            }
            if let Some(refusal) = verdict::refusal(&run) {
                return Err(MaxBatchError::Refused { number, refusal });
            }
        }
        let memory = self.options.card.memory_bytes();
        let guard = (memory as f64 * self.options.guard) as u64;
        let most = |of| CardPeaks::most(&run.recording.cards, of);
        let peaks = CardPeaks {
            used: most(|c| c.used),
            reserved: most(|c| c.reserved),
            outside: most(|c| c.outside),
            asked: most(|c| c.asked),
            held: most(|c| c.held),
        };
        let bound = match failed {
            Some(failed) => Some(Bound::Allocation(failed.clone())),
            None if peaks.reserved > guard => Some(Bound::Guard(guard)),
            None if peaks.held > memory => Some(Bound::Card(memory)),
            None => None,
        };
        Ok(Trial { number, peaks, bound })
    }
}

/// An argument with the number in place of every [`PLACEHOLDER`].
fn with_number(argument: &OsString, number: u64) -> OsString {
    let (bytes, placeholder) = (argument.as_bytes(), PLACEHOLDER.as_bytes());
    let mut filled = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(placeholder) {
            filled.extend(number.to_string().bytes());
            at += placeholder.len();
        } else {
            filled.push(bytes[at]);
            at += 1;
        }
    }
    OsString::from_vec(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_goes_wherever_it_is_asked_for() {
        let filled = |text: &str| with_number(&OsString::from(text), 12);
        assert_eq!(filled("--batch={}"), "--batch=12");
        assert_eq!(filled("{},{}"), "12,12");
        assert_eq!(filled("{ }"), "{ }");
    }
}
