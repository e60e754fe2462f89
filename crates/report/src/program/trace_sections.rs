//! The parts of a report on a trace in their order, in words.

use vram_virtual_card::recording::{Counted, Mark, MarkKind};

use super::blocks::{Block, Fact};
use super::happened_sections::{faults, places};
use super::trace_contents::TraceContents;
use crate::table::{Column, Table, or_dash};
use crate::units::{gib, grouped};
use crate::verdict_words::several;

pub(super) fn sections(contents: &TraceContents<'_>) -> Vec<Block> {
    let mut facts: Vec<Fact> = contents
        .real_cards
        .iter()
        .map(|card| Fact::text("card", format!("{}, {} GiB", card.name, gib(card.memory_bytes))))
        .collect();
    if let Some(version) = contents.driver_version {
        let (major, minor) = (version / 1000, version % 1000 / 10);
        facts.push(Fact::text("driver", format!("of CUDA {major}.{minor}")));
    }
    facts.push(Fact::text("program", contents.ending.to_string()));
    if contents.requests == 0 {
        let why = match contents.driver_version {
            None => "the program did not call CUDA: it is not built for it, or chose the CPU",
            Some(_) => "the program called CUDA and allocated nothing",
        };
        facts.push(Fact::text("nothing traced", why));
    } else {
        numbers(&mut facts, contents);
    }
    let mut blocks = vec![Block::Facts(facts)];
    blocks.extend(counters(contents));
    blocks.extend(places(&contents.happened));
    let mut faults = faults(&contents.happened);
    let uncounted = contents.uncounted.iter();
    faults.extend(uncounted.map(|function| Fact::text("not counted", *function)));
    blocks.extend((!faults.is_empty()).then_some(Block::Facts(faults)));
    blocks
}

fn numbers(facts: &mut Vec<Fact>, contents: &TraceContents<'_>) {
    let mut bytes = |label, bytes, note| facts.push(Fact::bytes(label, bytes, note));
    bytes("peak used", contents.peak_used_bytes, ", of pools, as requests went by");
    if contents.peak_reserved_bytes > 0 {
        bytes("peak reserved", contents.peak_reserved_bytes, ", as pools said at marks");
    }
    if contents.outside_pool_bytes > 0 {
        bytes("outside pools", contents.outside_pool_bytes, "");
    }
    if contents.pinned_host_bytes > 0 {
        bytes("host, locked", contents.pinned_host_bytes, ", none of the card's");
    }
    let (at, requests) = (contents.peak_at_request, contents.requests);
    facts.push(Fact::text("peak is", format!("at request {at} of {requests}")));
    let agreement = match contents.difference_bytes {
        None => "the driver's pools were not asked: the program set no mark".to_owned(),
        Some(0) => "agree with the driver's at every mark".to_owned(),
        Some(bytes) => format!("differ from the driver's by up to {} bytes", grouped(bytes)),
    };
    facts.push(Fact::text("counters", agreement));
}

/// The driver's own counters beside ours at each mark that the program set.
fn counters(contents: &TraceContents<'_>) -> Option<Block> {
    let marks = contents.happened.marks.iter().filter(|mark| mark.kind == MarkKind::Mark);
    let rows: Vec<(&Mark, &Counted)> =
        marks.flat_map(|mark| mark.counted.iter().map(move |counted| (mark, counted))).collect();
    if rows.is_empty() {
        return None;
    }
    type Row<'a> = (&'a Mark, &'a Counted);
    let mut columns = vec![Column::text("mark", 0, |(mark, _): &Row<'_>| mark.name.clone())];
    if contents.real_cards.len() > 1 {
        columns.push(Column::text("card", 0, |(_, counted): &Row<'_>| counted.card.to_string()));
    }
    columns.extend([
        Column::number("used", 0, |(_, counted): &Row<'_>| grouped(counted.used)),
        Column::number("used, peak", 1, |(_, counted): &Row<'_>| grouped(counted.used_high)),
        Column::number("went by", 3, |(_, counted): &Row<'_>| grouped(counted.went_by)),
        Column::number("difference", 0, |(_, counted): &Row<'_>| grouped(counted.difference())),
        Column::number("reserved", 2, |(_, counted): &Row<'_>| grouped(counted.reserved)),
        Column::number("beside it", 2, |(_, counted): &Row<'_>| or_dash(beside(counted), grouped)),
    ]);
    let notes = vec![
        format!(
            "The driver's counters at {}. Beside it is what else of the card is",
            several(rows.len() as u64, "mark")
        ),
        "in use: contexts, libraries, other pools, other processes.".to_owned(),
    ];
    Some(Block::Rows { title: "Counters", notes, table: Table::of(&columns, &rows) })
}

/// Memory of the card in use beside the pool, by whomever; none where the driver was not asked.
fn beside(counted: &Counted) -> Option<u64> {
    counted.total?.checked_sub(counted.free?)?.checked_sub(counted.reserved)
}
