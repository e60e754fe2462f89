//! What a dry run found, for reading and for programs.

use std::fmt::Write;

use serde::Serialize;
use vram_virtual_card::card::{Card, Libraries};
use vram_virtual_card::dry_run::{Answer, DryRun};
use vram_virtual_card::pool::PoolSettings;
use vram_virtual_card::recording::{CardPeaks, Failed, Mark, MarkKind, MarkLevels, Process};
use vram_virtual_card::run::{Ending, Fill, Run};
use vram_virtual_card::verdict::{Reason, Refusal, Verdict};

use crate::table::{Column, Style, Table};
use crate::units::{gib, grouped, times};
use crate::verdict_words::{because, explained, label, refused, settings, several};

/// A dry run, as it is printed.
#[derive(Debug, Serialize)]
pub struct DryRunReport<'a> {
    /// The program and its arguments.
    program: &'a [String],
    card: CardLine<'a>,
    /// How the first run ended.
    ending: Ending,
    /// The answer, or why there is none.
    #[serde(flatten)]
    outcome: Outcome<'a>,
    /// Calls of the first run that the driver refuses.
    wrong: Vec<&'a str>,
    /// Functions that are not modelled and were called.
    not_modelled: Vec<&'a str>,
    /// Allocations of the first run that had no room.
    failed: Vec<&'a Failed>,
    /// What was alive at the end of the first run.
    leaked: Leak,
    /// Marks of the first run's process that asked for the most.
    marks: &'a [Mark],
    /// All runs.
    runs: Vec<RunLine>,
}

#[derive(Debug, Serialize)]
struct CardLine<'a> {
    name: &'a str,
    driver_version: &'a str,
    memory_bytes: u64,
    /// Whether that is the memory of the recorded card.
    memory_recorded: bool,
    count: usize,
    libraries: Libraries,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<'a> {
    Answer(Numbers<'a>),
    Refused(&'a Refusal),
}

#[derive(Debug, Serialize)]
struct Numbers<'a> {
    verdict: &'a Verdict,
    /// Peaks of each card; the numbers below are of the one that held the most of each.
    cards: &'a [CardPeaks],
    not_exact_because: &'a [Reason],
    peak_used_bytes: u64,
    peak_at: &'a str,
    peak_at_request: u64,
    requests: u64,
    peak_reserved_bytes: u64,
    reserved_seen_bytes: (u64, u64),
    /// Whether the model of the pool was held against a card with the pool's settings.
    reserved_validated: bool,
    pool_settings: PoolSettings,
    outside_pool_bytes: u64,
    pinned_host_bytes: u64,
    /// The peak of the sum, with contexts and libraries.
    needed_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Leak {
    allocations: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct RunLine {
    fill: Fill,
    ending: Ending,
    peak_used_bytes: u64,
    peak_reserved_bytes: u64,
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

impl<'a> DryRunReport<'a> {
    /// Of a dry run of `program` on `card`.
    pub fn new(program: &'a [String], card: &'a Card, dry_run: &'a DryRun) -> Self {
        let first = &dry_run.runs[0];
        let processes = &first.recording.processes;
        let all = |of: fn(&Process) -> &Vec<String>| -> Vec<&'a str> {
            processes.iter().flat_map(|process| of(process).iter().map(String::as_str)).collect()
        };
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
            wrong: all(|process| &process.wrong),
            not_modelled: all(|process| &process.unmodelled),
            failed: processes.iter().flat_map(|process| &process.failed).collect(),
            leaked: Leak {
                allocations: processes.iter().map(|process| process.leaked).sum(),
                bytes: processes.iter().map(|process| process.leaked_bytes).sum(),
            },
            marks: processes.first().map_or(&[], |process| &process.marks),
            runs: dry_run.runs.iter().map(line_of).collect(),
        }
    }

    /// For reading. In a narrow terminal columns of the table of marks are left out.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let CardLine { name, memory_bytes, memory_recorded, count, .. } = &self.card;
        let cards = if *count > 1 { format!("{count} x ") } else { String::new() };
        let note = if *memory_recorded { "" } else { ", of a size that was asked for" };
        let _ = writeln!(text, "virtual card    {cards}{name}, {} GiB{note}", gib(*memory_bytes));
        let runs = times(self.runs.len() as u64);
        let _ = writeln!(text, "program         {}, run {runs}", self.ending);
        match &self.outcome {
            Outcome::Refused(refusal) => {
                let _ = writeln!(text, "no verdict      {}", refused(refusal));
            }
            Outcome::Answer(numbers) => self.answer(&mut text, numbers),
        }
        self.faults(&mut text);
        text
    }

    fn answer(&self, text: &mut String, numbers: &Numbers<'_>) {
        let mut bytes = |name: &str, bytes: u64, note: &str| {
            let _ = writeln!(
                text,
                "{name:<16}{:>9} GiB {:>18} bytes{note}",
                gib(bytes),
                grouped(bytes)
            );
        };
        bytes("peak used", numbers.peak_used_bytes, &format!(", {}", label(numbers.verdict)));
        let reserved = match numbers.reserved_validated {
            true => ", by the model of the driver's pool",
            false => ", an estimate: the model was not held against these settings",
        };
        bytes("peak reserved", numbers.peak_reserved_bytes, reserved);
        let (least, most) = numbers.reserved_seen_bytes;
        if least != most {
            bytes("  at least", least, ", seen over the runs");
            bytes("  at most", most, ", seen over the runs");
        }
        if numbers.outside_pool_bytes > 0 {
            bytes("outside pools", numbers.outside_pool_bytes, "");
        }
        if numbers.pinned_host_bytes > 0 {
            bytes("host, locked", numbers.pinned_host_bytes, ", none of the card's");
        }
        let assumed =
            if self.card.memory_recorded { "recorded" } else { "assumed from the recorded card" };
        let needed = format!(", with context and libraries ({assumed})");
        bytes("needed in all", numbers.needed_bytes, &needed);
        let (at, requests) = (numbers.peak_at_request, numbers.requests);
        let _ =
            writeln!(text, "peak is         {}, at request {at} of {requests}", numbers.peak_at);
        let _ = writeln!(text, "pool            {}", settings(&numbers.pool_settings));
        let _ = writeln!(text, "verdict         {}", explained(numbers.verdict));
        for reason in numbers.not_exact_because {
            let _ = writeln!(text, "  because       {}", because(reason));
        }
        if numbers.cards.len() > 1 {
            text.push_str(&cards_table(numbers.cards));
        }
        let named: Vec<&Mark> = self.marks.iter().filter(|m| m.kind == MarkKind::Mark).collect();
        if !named.is_empty() {
            text.push_str(&marks_table(&named));
        }
    }

    fn faults(&self, text: &mut String) {
        for failed in &self.failed {
            let _ = writeln!(
                text,
                "did not fit     {} of {} bytes on card {}, which held {} bytes",
                failed.what,
                grouped(failed.bytes),
                failed.card,
                grouped(failed.held)
            );
        }
        for wrong in &self.wrong {
            let _ = writeln!(text, "wrong call      {wrong}");
        }
        for function in &self.not_modelled {
            let _ = writeln!(text, "not modelled    {function}");
        }
        if self.leaked.allocations > 0 {
            let _ = writeln!(
                text,
                "alive at exit   {}, {} bytes",
                several(self.leaked.allocations, "allocation"),
                grouped(self.leaked.bytes)
            );
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
        reserved_seen_bytes: (answer.reserved.least, answer.reserved.most),
        reserved_validated: !answer.settings.depend_on_progress(),
        pool_settings: answer.settings,
        outside_pool_bytes: most(|card| card.outside),
        pinned_host_bytes: answer.pinned_bytes,
        needed_bytes: most(|card| card.held),
    }
}

fn cards_table(cards: &[CardPeaks]) -> String {
    let numbered: Vec<(usize, &CardPeaks)> = cards.iter().enumerate().collect();
    let columns = [
        Column::text("card", 0, |(number, _): &(usize, &CardPeaks)| number.to_string()),
        Column::number("peak used", 0, |(_, card): &(usize, &CardPeaks)| grouped(card.used)),
        Column::number("peak reserved", 1, |(_, card): &(usize, &CardPeaks)| {
            grouped(card.reserved)
        }),
        Column::number("outside pools", 3, |(_, card): &(usize, &CardPeaks)| grouped(card.outside)),
        Column::number("needed", 2, |(_, card): &(usize, &CardPeaks)| grouped(card.held)),
    ];
    Table::of(&columns, &numbered).draw(Style::Terminal)
}

fn marks_table(marks: &[&Mark]) -> String {
    let level = |mark: &Mark, of: fn(&MarkLevels) -> u64| {
        mark.cards.iter().map(of).max().map_or_else(|| "0".to_owned(), grouped)
    };
    let columns = [
        Column::text("mark", 0, |mark: &&Mark| mark.name.clone()),
        Column::number("used", 0, |mark: &&Mark| level(mark, |c| c.used)),
        Column::number("used, peak", 1, |mark: &&Mark| level(mark, |c| c.used_peak)),
        Column::number("reserved", 2, |mark: &&Mark| level(mark, |c| c.reserved)),
        Column::number("requests", 3, |mark: &&Mark| mark.requests.to_string()),
    ];
    Table::of(&columns, marks).draw(Style::Terminal)
}
