//! From what the stand-in writes down back to a sequence.

use std::collections::HashMap;

use vram_replay::model;
use vram_replay::recorded::sequence_of;
use vram_virtual_card::requests::{Memory, Requests, Step};
use vram_virtual_card::sequence::{Awaited, Call, Line, Seen, Setting, parse};

const POOL: Memory = Memory::Pool;

fn allocate(card: u32, memory: Memory, address: u64, stream: u64) -> Step {
    Step::Allocate { card, memory, address, bytes: 512, stream, stack: None }
}

fn text(steps: Vec<Step>, card: u32) -> Vec<String> {
    let requests = Requests { steps, ..Requests::default() };
    sequence_of(&requests, card).iter().map(Line::to_string).collect()
}

#[test]
fn a_card_s_pool_alone_is_told_of() {
    let steps = vec![
        Step::Setting { card: 1, attribute: 4, value: u64::MAX },
        Step::Setting { card: 0, attribute: 2, value: 0 },
        Step::Setting { card: 1, attribute: 6, value: 0 },
        allocate(0, POOL, 10, 0),
        allocate(1, POOL, 20, 0xf00),
        allocate(1, Memory::Outside, 30, 0),
        allocate(1, Memory::Host, 40, 0),
        Step::Free { address: 10, stream: 0 },
        Step::Free { address: 30, stream: 0 },
        Step::Free { address: 20, stream: 1 },
        Step::Trim { card: 0, keep: 5 },
        Step::SynchronizeContext { card: 0 },
        Step::Trim { card: 1, keep: 6 },
        Step::SynchronizeContext { card: 1 },
        // The same address once more, and the legacy stream by its other name.
        allocate(1, POOL, 20, 1),
        Step::Free { address: 20, stream: 0xf00 },
        Step::SynchronizeStream { stream: 0xe00 },
    ];
    let expected = [
        "set release_threshold max",
        "alloc 1 512 on 1",
        "free 1",
        "trim 6",
        "sync all",
        "alloc 2 512",
        "free 2 on 1",
        "sync on 2",
    ];
    assert_eq!(text(steps, 1), expected);
}

#[test]
fn an_event_stands_where_it_was_recorded() {
    let steps = vec![
        allocate(0, POOL, 10, 0xa0),
        Step::Free { address: 10, stream: 0xa0 },
        allocate(0, POOL, 20, 0xb0),
        Step::Wait { stream: 0xb0, other: 0xa0, until: 1 },
        Step::Wait { stream: 0xc0, other: 0xa0, until: 2 },
        Step::SynchronizeEvent { stream: 0xa0, until: 2 },
        Step::SynchronizeEvent { stream: 0xb0, until: 6 },
        // What nobody recorded is waited for at once.
        Step::Wait { stream: 0xb0, other: 0, until: 0 },
        Step::Wait { stream: 0xb0, other: 0xa0, until: u64::MAX },
    ];
    let expected = [
        "event 1",
        "alloc 1 512 on 1",
        "event 2 on 1",
        "free 1 on 1",
        "event 3 on 1",
        "alloc 2 512 on 2",
        "wait 2 on 2",
        "wait 3 on 3",
        "sync event 3",
        "event 4 on 2",
        "sync event 4",
        "wait 1 on 2",
        "event 5 on 1",
        "wait 5 on 2",
    ];
    assert_eq!(text(steps, 0), expected);
}

/// As the stand-in writes `lines` down: the address of each allocation is its number and where the model
/// places it.
fn written_down(lines: &[Line], seen: &[Seen]) -> Vec<Step> {
    let (mut steps, mut events, mut addresses) = (Vec::new(), HashMap::new(), HashMap::new());
    let handle = |stream: u64| if stream == 0 { 0 } else { 0x1000 + stream };
    for (line, seen) in lines.iter().zip(seen) {
        let step = match line.call {
            Call::Allocate { id, bytes, stream } => {
                let address = 1 << 40 | seen.offset.unwrap().cast_unsigned();
                addresses.insert(id, address);
                let (card, memory, stack, stream) = (0, POOL, None, handle(stream));
                Step::Allocate { card, memory, address, bytes, stream, stack }
            }
            Call::Free { id, stream } => {
                Step::Free { address: addresses[&id], stream: handle(stream) }
            }
            Call::Record { event, stream } => {
                events.insert(event, (handle(stream), steps.len() as u64));
                continue;
            }
            Call::Wait { event, stream } => {
                let (other, until) = events[&event];
                Step::Wait { stream: handle(stream), other, until }
            }
            Call::Synchronize(Awaited::Stream(stream)) => {
                Step::SynchronizeStream { stream: handle(stream) }
            }
            Call::Synchronize(Awaited::Event(event)) => {
                let (stream, until) = events[&event];
                Step::SynchronizeEvent { stream, until }
            }
            Call::Synchronize(Awaited::All) => Step::SynchronizeContext { card: 0 },
            Call::Trim { keep } => Step::Trim { card: 0, keep },
            Call::Set(Setting::ReleaseThreshold(value)) => {
                Step::Setting { card: 0, attribute: 4, value }
            }
            Call::Set(_) => unreachable!("not made below"),
        };
        steps.push(step);
    }
    steps
}

/// A sequence in which every call is possible.
fn possible(choices: &[(u8, u64, u64)]) -> Vec<Line> {
    let (mut calls, mut live, mut events) = (Vec::new(), Vec::new(), 0);
    for (id, &(kind, number, stream)) in choices.iter().enumerate() {
        let id = id as u64;
        calls.push(match kind {
            0 => Call::Set(Setting::ReleaseThreshold(number)),
            1 => Call::Trim { keep: number },
            2 => Call::Synchronize(Awaited::All),
            3 => Call::Synchronize(Awaited::Stream(stream)),
            4 => {
                events += 1;
                Call::Record { event: events, stream }
            }
            5 if events > 0 => Call::Wait { event: number % events + 1, stream },
            6 if events > 0 => Call::Synchronize(Awaited::Event(number % events + 1)),
            7..=10 if !live.is_empty() => {
                let id = live.swap_remove(number as usize % live.len());
                Call::Free { id, stream }
            }
            _ => {
                live.push(id);
                Call::Allocate { id, bytes: number.max(1), stream }
            }
        });
    }
    calls.into_iter().map(|call| Line { call, seen: None }).collect()
}

/// Without the events, which may stand elsewhere among calls of no kind.
fn came(lines: &[Line], seen: &[Seen]) -> Vec<Seen> {
    let of_calls = lines.iter().zip(seen);
    let others = of_calls.filter(|(line, _)| !matches!(line.call, Call::Record { .. }));
    others.map(|(_, seen)| *seen).collect()
}

proptest::proptest! {
    #[test]
    fn what_was_written_down_plays_as_it_did(
        choices in proptest::collection::vec((0u8..16, 0u64..100 << 20, 0u64..4), 1..150),
    ) {
        let lines = possible(&choices);
        let seen = model::play(&lines).unwrap();
        let steps = written_down(&lines, &seen);
        let again = sequence_of(&Requests { steps, ..Requests::default() }, 0);
        let seen_again = model::play(&again).unwrap();
        proptest::prop_assert_eq!(came(&again, &seen_again), came(&lines, &seen));
        // It is a text that reads as it is written.
        let text: String = again.iter().map(|line| format!("{line}\n")).collect();
        proptest::prop_assert_eq!(parse(&text).unwrap(), again);
    }

    #[test]
    fn whatever_was_written_down_is_a_sequence(
        steps in proptest::collection::vec((0u8..6, 0u64..9, 0u64..200), 0..40),
    ) {
        let steps = steps.into_iter().map(|(kind, stream, number)| match kind {
            0 => Step::SynchronizeEvent { stream, until: number },
            1 => Step::Wait { stream, other: number % 3, until: number },
            2 => Step::Free { address: number % 5, stream },
            3 => Step::Setting { card: 0, attribute: number as u32, value: stream },
            _ => allocate(0, POOL, number % 5, stream),
        });
        let requests = Requests { steps: steps.collect(), ..Requests::default() };
        proptest::prop_assert!(model::play(&sequence_of(&requests, 0)).is_ok());
    }
}
