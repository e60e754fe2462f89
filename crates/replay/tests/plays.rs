//! Plays: on the model, and where there is no card.

use std::fs;
use std::path::Path;

use vram_metrics::driver::Card;
use vram_replay::compare::Comparison;
use vram_replay::error::{Refusal, ReplayError};
use vram_replay::{card, model};
use vram_virtual_card::playback::PlayError;
use vram_virtual_card::sequence::{self, Line};

#[test]
fn a_call_that_names_what_is_not_there_ends_the_play() {
    for (text, index, why) in [
        ("alloc 1 5\nfree 2", 1, PlayError::NoAllocation(2)),
        ("alloc 1 5\nfree 1\nfree 1", 2, PlayError::NoAllocation(1)),
        ("alloc 1 5\nalloc 1 5", 1, PlayError::AllocatedTwice(1)),
        ("wait 3 on 1", 0, PlayError::NoEvent(3)),
        ("sync event 3", 0, PlayError::NoEvent(3)),
        ("alloc 1 0", 0, PlayError::NoPlace(0)),
        ("sync\nalloc 1 18446744073709551615", 1, PlayError::NoPlace(u64::MAX)),
    ] {
        let stopped = model::play(&sequence::parse(text).unwrap()).unwrap_err();
        assert_eq!((stopped.index, stopped.seen.len()), (index, index), "{text}");
        assert_eq!(stopped.why, Refusal::Wrong(why));
        let line = text.lines().nth(index).unwrap();
        let said = stopped.to_string();
        assert!(said.starts_with(&format!("call {}, `{line}`: ", index + 1)), "{said}");
    }
}

/// Not a card of this machine's, if it has any.
#[test]
fn a_card_that_is_not_there_is_an_error() {
    let nowhere = Card {
        ordinal: 4096,
        name: "none".to_owned(),
        uuid: "none".to_owned(),
        capability: (9, 0),
        total_bytes: 0,
    };
    let error = card::play(&nowhere, &[]).unwrap_err();
    assert!(matches!(error, ReplayError::Card(_)), "{error}");
}

/// Every text in docs/pool.md that says what a call comes to is what the model has, call by call.
#[test]
fn the_sequences_of_the_page_on_pools_are_the_model_s() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pool.md");
    let page = fs::read_to_string(page).unwrap();
    let texts: Vec<&str> = page.split("```text\n").skip(1).collect();
    assert!(texts.len() >= 10, "{} sequences", texts.len());
    for text in texts {
        let text = text.split_once("```").unwrap().0;
        let lines: Vec<Line> = sequence::parse(text).unwrap();
        let written: Vec<_> = lines.iter().map(|line| line.seen).collect();
        assert!(written.iter().all(Option::is_some), "a call without what it comes to:\n{text}");
        let seen = model::play(&lines).unwrap();
        let found = Comparison::new(&seen, &written);
        if let Some(index) = found.first_difference {
            let came = Line { seen: Some(seen[index]), ..lines[index] };
            panic!("`{}`, but it comes to `{came}`, in:\n{text}", lines[index]);
        }
    }
}
