//! Sizes at the ends: none, too much, and what is never freed.

use vram_virtual_card::recording::Failed;
use vram_virtual_card::verdict::{Reason, Refusal, Verdict};

use crate::support::{
    GIB, GRANULE, MIB, answer, card, context_bytes, ends_well, options, process, program, refusal,
    run, run_any,
};

#[test]
fn no_bytes_are_an_allocation_that_counts_for_nothing() {
    let found = run("zero_bytes", &[]);
    assert_eq!(answer(&found).requests, (1, 1));
    assert_eq!(process(&found).wrong, [""; 0]);
    assert_eq!((process(&found).leaked, &process(&found).failed), (0, &Vec::new()));
    assert_eq!((answer(&found).cards[0].used, answer(&found).cards[0].outside), (512, 0));
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}

fn an_allocation(bytes: u64, held: u64) -> Vec<Failed> {
    vec![Failed { what: "an allocation".to_owned(), card: 0, bytes, held }]
}

#[test]
fn what_no_card_has_is_refused_with_its_size_and_what_was_held() {
    for (from, bytes) in [("pool", 1 << 60), ("direct", (1 << 60) + 1)] {
        let found = run("too_much", &[from, &bytes.to_string()]);
        let failed = &process(&found).failed;
        assert_eq!(*failed, an_allocation(bytes, context_bytes() + GRANULE), "{from}");
        assert_eq!(answer(&found).reasons, [Reason::AllocationFailed(1)]);
        assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 });
        assert_eq!(answer(&found).cards[0].used, MIB);
    }
}

/// The card would have it, were there no context.
#[test]
fn a_card_has_no_room_for_what_its_context_takes() {
    let memory = 4 * GIB;
    let bytes = memory - context_bytes();
    for from in ["pool", "direct"] {
        let mut options = options(program("too_much"), &[from, &bytes.to_string()]);
        options.card = card(Some(memory));
        let found = run_any(&options);
        found.runs.iter().for_each(ends_well);
        let failed = &process(&found).failed;
        assert_eq!(*failed, an_allocation(bytes, context_bytes() + GRANULE), "{from}");
        assert_eq!(answer(&found).cards[0].held, context_bytes() + GRANULE);
    }
}

#[test]
fn a_card_may_be_too_small_for_a_context() {
    let mut options = options(program("no_context"), &[]);
    options.card = card(Some(context_bytes() - 1));
    let found = run_any(&options);
    ends_well(&found.runs[0]);
    let failed = Failed { what: "a context".to_owned(), card: 0, bytes: context_bytes(), held: 0 };
    assert_eq!(process(&found).failed, [failed]);
    assert_eq!(*refusal(&found), Refusal::NothingAllocated);
}

#[test]
fn what_is_alive_at_the_end_is_told() {
    let found = run("alive", &[]);
    let process = process(&found);
    assert_eq!((process.leaked, process.leaked_bytes), (2, 1000 + 3 * MIB + 1));
    assert!(process.ended);
    assert_eq!(answer(&found).cards[0].outside, 4 * MIB);
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}

/// Global objects of C++ and of a library do.
#[test]
fn what_a_destructor_frees_is_not_alive_at_the_end() {
    let found = run("alive", &["freed"]);
    assert_eq!((process(&found).leaked, process(&found).leaked_bytes), (0, 0));
    assert!(process(&found).ended);
}

/// Nobody has such a card; who asks for it has addresses enough.
#[test]
fn a_card_may_have_more_than_a_tebibyte() {
    let mut options = options(program("large"), &[]);
    options.card = card(Some(4 << 40));
    let found = run_any(&options);
    found.runs.iter().for_each(ends_well);
    assert_eq!(process(&found).wrong, [""; 0]);
    let peaks = answer(&found).cards[0];
    assert_eq!((peaks.used, peaks.outside), (3 << 40, 4 * MIB));
    assert_eq!(process(&found).leaked, 0);
}
