//! The parts that reports on any run have, in words.

use vram_virtual_card::recording::{Mark, MarkKind, MarkLevels};
use vram_virtual_card::reserved::Span;

use super::blocks::{Block, Fact};
use super::happened::Happened;
use super::places;
use crate::table::{Column, Table};
use crate::units::grouped;
use crate::verdict_words::{numbered, several};

/// Where the bytes are, where stacks were asked for.
pub(super) fn places(happened: &Happened<'_>) -> Option<Block> {
    happened.places.as_ref().map(places::block)
}

/// What went wrong, and what was left.
pub(super) fn faults(happened: &Happened<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    for failed in &happened.failed {
        let (bytes, held) = (grouped(failed.bytes), grouped(failed.held));
        facts.push(Fact::text(
            "did not fit",
            format!(
                "{} of {bytes} bytes on card {}, which held {held} bytes",
                failed.what, failed.card
            ),
        ));
    }
    if !happened.lost_cards.is_empty() {
        let cards = numbered(&happened.lost_cards);
        facts.push(Fact::text("off the bus", format!("{cards}, from some call on")));
    }
    facts.extend(happened.wrong.iter().map(|wrong| Fact::text("wrong call", *wrong)));
    let not_modelled = happened.not_modelled.iter();
    facts.extend(not_modelled.map(|function| Fact::text("not modelled", *function)));
    if happened.leaked.allocations > 0 {
        let allocations = several(happened.leaked.allocations, "allocation");
        let bytes = grouped(happened.leaked.bytes);
        facts.push(Fact::text("alive at exit", format!("{allocations}, {bytes} bytes")));
    }
    facts
}

/// What was held at each mark that the program set; reserved with its range at each mark, where there is
/// one.
pub(super) fn marks_table(happened: &Happened<'_>, ranges: &[Span]) -> Option<Block> {
    let ranges = ranges.iter().map(Some).chain(std::iter::repeat(None));
    let marks = happened.marks.iter().zip(ranges);
    let marks: Vec<(&Mark, Option<&Span>)> =
        marks.filter(|(mark, _)| mark.kind == MarkKind::Mark).collect();
    if marks.is_empty() {
        return None;
    }
    let level = |mark: &Mark, of: fn(&MarkLevels) -> u64| {
        mark.cards.iter().map(of).max().map_or_else(|| "0".to_owned(), grouped)
    };
    let reserved = |mark: &Mark, range: Option<&Span>| match range {
        Some(Span { least, most }) if least == most => grouped(*least),
        Some(Span { least, most }) => format!("{} to {}", grouped(*least), grouped(*most)),
        None => level(mark, |c| c.reserved),
    };
    type Row<'a> = (&'a Mark, Option<&'a Span>);
    let columns = [
        Column::text("mark", 0, |(mark, _): &Row<'_>| mark.name.clone()),
        Column::number("used", 0, |(mark, _): &Row<'_>| level(mark, |c| c.used)),
        Column::number("used, peak", 1, |(mark, _): &Row<'_>| level(mark, |c| c.used_peak)),
        Column::number("reserved", 2, |(mark, range): &Row<'_>| reserved(mark, *range)),
        Column::number("requests", 3, |(mark, _): &Row<'_>| mark.requests.to_string()),
    ];
    let table = Table::of(&columns, &marks);
    Some(Block::Rows { title: "Marks", notes: Vec::new(), table })
}
