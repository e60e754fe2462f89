//! Several cards.

use vram_virtual_card::card::Card;
use vram_virtual_card::dry_run::DryRun;
use vram_virtual_card::verdict::{Reason, Verdict};

use crate::support::{
    GRANULE, MIB, answer, context_bytes, ends_well, linked, options, process, program, run_any,
    stub,
};

fn four() -> Card {
    Card::new("h100", None, 4).unwrap()
}

fn libraries() -> [std::path::PathBuf; 3] {
    [
        stub("libcuda.so.1", "cuda", None),
        stub("libcudart.so.13", "cudart", Some("libcudart.so.13")),
        stub("libnvidia-ml.so.1", "nvml", None),
    ]
}

#[test]
fn each_card_is_told_apart_and_holds_what_is_its_own() {
    let mut options = options(linked("cards", "cards", &libraries()), &[]);
    options.card = four();
    let found = run_any(&options);
    found.runs.iter().for_each(ends_well);
    let [none, first, idle, second] = answer(&found).cards[..] else {
        panic!("{:?}", answer(&found).cards)
    };
    assert_eq!((none.held, idle.held), (0, 0));
    let of_first = (first.used, first.reserved, first.outside, first.held);
    assert_eq!(of_first, (5000, GRANULE, 0, GRANULE + context_bytes()));
    let of_second = (second.used, second.reserved, second.outside, second.held);
    assert_eq!(of_second, (0, 0, 64 * MIB, 64 * MIB + context_bytes()));
    // NVML was asked.
    assert!(matches!(answer(&found).reasons[..], [Reason::FreeMemoryRead(_)]));
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 });
    // By number, whichever are in use.
    let marked = &process(&found).marks.iter().find(|mark| mark.name == "both").unwrap().cards;
    let used: Vec<(u64, u64)> = marked.iter().map(|card| (card.used, card.outside)).collect();
    assert_eq!(used, [(0, 0), (5000, 0), (0, 0), (0, 64 * MIB)]);
}

#[test]
fn each_card_has_streams_of_its_own() {
    for arguments in [&[][..], &["made"]] {
        let mut options = options(program("streams"), arguments);
        options.card = four();
        let found = run_any(&options);
        found.runs.iter().for_each(ends_well);
        let cards: Vec<(u64, u64)> =
            answer(&found).cards.iter().map(|card| (card.used, card.reserved)).collect();
        let both = [(0, 0), (1000, GRANULE), (0, 0), (1000, GRANULE)];
        assert_eq!(cards, both, "{arguments:?}");
        // One stream on each card is none too many.
        assert_eq!(answer(&found).verdict, Verdict::Exact, "{arguments:?}");
    }
}

/// A run of `lost.c` on a machine whose lost cards a file names, which holds this at first.
fn lost(arguments: &[&str], named: Option<&str>) -> DryRun {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lost");
    if let Some(named) = named {
        std::fs::write(&file, named).unwrap();
    }
    let file_name = file.to_str().unwrap();
    let arguments: Vec<&str> =
        arguments.iter().map(|a| if *a == "FILE" { file_name } else { a }).collect();
    let stubs = [
        stub("libcuda.so.1", "cuda", None),
        stub("libcudart.so.13", "cudart", Some("libcudart.so.13")),
        stub("libcublas.so.13", "cublas", Some("libcublas.so.13")),
        stub("libnvidia-ml.so.1", "nvml", None),
    ];
    let mut options = options(linked("lost", "lost", &stubs), &arguments);
    options.card = four().with_lost(&file).unwrap();
    // What the program writes into the file is there still in a second run.
    options.runs = 1;
    let found = run_any(&options);
    found.runs.iter().for_each(ends_well);
    found
}

#[test]
fn a_card_that_falls_off_the_bus_answers_nothing_from_then_on() {
    let found = lost(&["under way", "FILE"], None);
    assert_eq!(found.runs[0].recording.lost_cards(), [2]);
    let cards = &answer(&found).cards;
    assert_eq!((cards[0].used, cards[1].held, cards[2].used), (3000, 0, 2000));
    assert!(answer(&found).reasons.contains(&Reason::CardsLost(vec![2])));
    // It cannot be freed any more.
    assert_eq!((process(&found).leaked, process(&found).leaked_bytes), (1, 2000));
}

#[test]
fn a_card_falls_at_the_request_that_is_named() {
    let found = lost(&["under way"], Some("3@1, 2@2"));
    assert_eq!(found.runs[0].recording.lost_cards(), [2]);
    assert_eq!(answer(&found).requests.1, 3, "what a lost card is asked for counts for nothing");
}

#[test]
fn a_process_that_begins_without_a_card_uses_the_others() {
    let found = lost(&["before"], Some("2"));
    assert_eq!(answer(&found).cards.len(), 4);
    assert_eq!((answer(&found).cards[2].held, answer(&found).cards[3].used), (0, 4000));
}

#[test]
fn what_is_lost_to_one_process_is_lost_to_the_next() {
    let found = lost(&["both", "FILE"], None);
    let processes = &found.runs[0].recording.processes;
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|process| process.lost_cards == [2]));
}
