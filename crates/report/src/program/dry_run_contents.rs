//! What a report on a dry run holds: the same for a person and for a program.

use serde::Serialize;
use vram_places::profile::Profile;
use vram_virtual_card::card::{Card, Libraries};
use vram_virtual_card::dry_run::{Answer, DryRun};
use vram_virtual_card::pool::PoolSettings;
use vram_virtual_card::recording::CardPeaks;
use vram_virtual_card::reserved::Span;
use vram_virtual_card::run::{Ending, Fill, Run};
use vram_virtual_card::verdict::{Reason, Refusal, Verdict};

use super::happened::Happened;

/// A dry run, as it is reported.
#[derive(Debug, Serialize)]
pub(super) struct DryRunContents<'a> {
    /// The program and its arguments.
    pub program: &'a [String],
    pub card: CardLine<'a>,
    /// How the first run ended.
    pub ending: Ending,
    /// The answer, or why there is none.
    #[serde(flatten)]
    pub outcome: Outcome<'a>,
    #[serde(flatten)]
    pub happened: Happened<'a>,
    /// All runs.
    pub runs: Vec<RunLine>,
}

#[derive(Debug, Serialize)]
pub(super) struct CardLine<'a> {
    pub name: &'a str,
    pub driver_version: &'a str,
    pub memory_bytes: u64,
    /// Whether that is the memory of the recorded card.
    pub memory_recorded: bool,
    pub count: usize,
    pub libraries: Libraries,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome<'a> {
    Answer(Numbers<'a>),
    Refused(&'a Refusal),
}

#[derive(Debug, Serialize)]
pub(super) struct Numbers<'a> {
    pub verdict: &'a Verdict,
    /// Peaks of each card; the numbers below are of the one that held the most of each.
    pub cards: &'a [CardPeaks],
    pub not_exact_because: &'a [Reason],
    pub peak_used_bytes: u64,
    pub peak_at: &'a str,
    pub peak_at_request: u64,
    pub requests: u64,
    pub peak_reserved_bytes: u64,
    /// Over the runs; over cards whose work takes time where that matters, of which none may keep up.
    pub reserved_range_bytes: Span,
    /// Whether what is reserved depends on how far the card is.
    pub reserved_depends_on_progress: bool,
    /// The range at each mark, where it does.
    pub reserved_at_marks_bytes: &'a [Span],
    pub pool_settings: PoolSettings,
    pub outside_pool_bytes: u64,
    pub pinned_host_bytes: u64,
    /// The peak of the sum, with contexts and libraries.
    pub needed_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct RunLine {
    pub fill: Fill,
    pub ending: Ending,
    pub peak_used_bytes: u64,
    pub peak_reserved_bytes: u64,
}

fn line_of(run: &Run) -> RunLine {
    let cards = &run.recording.cards;
    RunLine {
        fill: run.fill,
        ending: run.ending,
        peak_used_bytes: CardPeaks::most(cards, |card| card.used),
        peak_reserved_bytes: CardPeaks::most(cards, |card| card.reserved),
    }
}

impl<'a> DryRunContents<'a> {
    /// Of a dry run of `program` on `card`.
    pub fn new(
        program: &'a [String],
        card: &'a Card,
        dry_run: &'a DryRun,
        profile: Option<&'a Profile>,
    ) -> Self {
        let first = &dry_run.runs[0];
        let model = card.model();
        Self {
            program,
            card: CardLine {
                name: &model.name,
                driver_version: &model.driver_version,
                memory_bytes: card.memory_bytes(),
                memory_recorded: card.has_recorded_memory(),
                count: card.count(),
                libraries: model.libraries,
            },
            ending: first.ending,
            outcome: match &dry_run.outcome {
                Ok(answer) => Outcome::Answer(numbers(answer)),
                Err(refusal) => Outcome::Refused(refusal),
            },
            happened: Happened::new(&first.recording, profile),
            runs: dry_run.runs.iter().map(line_of).collect(),
        }
    }
}

fn numbers(answer: &Answer) -> Numbers<'_> {
    let most = |of| CardPeaks::most(&answer.cards, of);
    Numbers {
        verdict: &answer.verdict,
        cards: &answer.cards,
        not_exact_because: &answer.reasons,
        peak_used_bytes: most(|card| card.used),
        peak_at: &answer.peak_at,
        peak_at_request: answer.requests.0,
        requests: answer.requests.1,
        peak_reserved_bytes: most(|card| card.reserved),
        reserved_range_bytes: answer.reserved,
        reserved_depends_on_progress: answer.settings.depend_on_progress(),
        reserved_at_marks_bytes: &answer.reserved_at_marks,
        pool_settings: answer.settings,
        outside_pool_bytes: most(|card| card.outside),
        pinned_host_bytes: answer.pinned_bytes,
        needed_bytes: most(|card| card.held),
    }
}
