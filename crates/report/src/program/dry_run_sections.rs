//! The parts of a report on a dry run in their order, in words.

use vram_virtual_card::recording::CardPeaks;
use vram_virtual_card::reserved::Span;

use super::blocks::{Block, Fact};
use super::dry_run_contents::{CardLine, DryRunContents, Numbers, Outcome};
use super::happened_sections::{faults, marks_table, places};
use crate::table::{Column, Table};
use crate::units::{gib, grouped, times};
use crate::verdict_words::{because, explained, label, refused, settings};

pub(super) fn sections(contents: &DryRunContents<'_>) -> Vec<Block> {
    let CardLine { name, memory_bytes, memory_recorded, count, .. } = &contents.card;
    let cards = if *count > 1 { format!("{count} x ") } else { String::new() };
    let note = if *memory_recorded { "" } else { ", of a size that was asked for" };
    let runs = times(contents.runs.len() as u64);
    let mut facts = vec![
        Fact::text("virtual card", format!("{cards}{name}, {} GiB{note}", gib(*memory_bytes))),
        Fact::text("program", format!("{}, run {runs}", contents.ending)),
    ];
    let mut tables = Vec::new();
    match &contents.outcome {
        Outcome::Refused(refusal) => facts.push(Fact::text("no verdict", refused(refusal))),
        Outcome::Answer(numbers) => {
            answer(&mut facts, contents, numbers);
            tables.extend((numbers.cards.len() > 1).then(|| cards_table(numbers.cards)));
            tables.extend(marks_table(&contents.happened, numbers.reserved_at_marks_bytes));
        }
    }
    tables.extend(places(&contents.happened));
    let mut blocks = vec![Block::Facts(facts)];
    blocks.extend(tables);
    let faults = faults(&contents.happened);
    blocks.extend((!faults.is_empty()).then_some(Block::Facts(faults)));
    blocks
}

fn answer(facts: &mut Vec<Fact>, contents: &DryRunContents<'_>, numbers: &Numbers<'_>) {
    let verdict = numbers.verdict;
    facts.push(Fact::bytes("peak used", numbers.peak_used_bytes, format!(", {}", label(verdict))));
    let Span { least, most } = numbers.reserved_range_bytes;
    let peak = numbers.peak_reserved_bytes;
    let varies = (least, most) != (peak, peak);
    let (reserved, over) = match numbers.reserved_depends_on_progress && varies {
        true => (
            ", by the model of the driver's pool, on a card that keeps up",
            ", on one whose work takes time",
        ),
        false => (", by the model of the driver's pool", ", seen over the runs"),
    };
    facts.push(Fact::bytes("peak reserved", peak, reserved));
    if varies {
        facts.push(Fact::bytes("  at least", least, over));
        facts.push(Fact::bytes("  at most", most, over));
    }
    if numbers.outside_pool_bytes > 0 {
        facts.push(Fact::bytes("outside pools", numbers.outside_pool_bytes, ""));
    }
    if numbers.pinned_host_bytes > 0 {
        facts.push(Fact::bytes("host, locked", numbers.pinned_host_bytes, ", none of the card's"));
    }
    let assumed = match contents.card.memory_recorded {
        true => "recorded",
        false => "assumed from the recorded card",
    };
    let needed = format!(", with context and libraries ({assumed})");
    facts.push(Fact::bytes("needed in all", numbers.needed_bytes, needed));
    let (at, requests) = (numbers.peak_at_request, numbers.requests);
    facts
        .push(Fact::text("peak is", format!("{}, at request {at} of {requests}", numbers.peak_at)));
    facts.push(Fact::text("pool", settings(&numbers.pool_settings)));
    facts.push(Fact::text("verdict", explained(verdict)));
    let reasons = numbers.not_exact_because.iter();
    facts.extend(reasons.map(|reason| Fact::text("  because", because(reason))));
}

fn cards_table(cards: &[CardPeaks]) -> Block {
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
    let table = Table::of(&columns, &numbered);
    let notes = vec!["The peaks above are of the card that has the most of each.".to_owned()];
    Block::Rows { title: "Cards", notes, table }
}
