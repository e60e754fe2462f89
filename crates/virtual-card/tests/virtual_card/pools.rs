//! Pools that a program makes for itself, and several cards.

use vram_virtual_card::card::Card;
use vram_virtual_card::verdict::Verdict;

use crate::support::{
    GRANULE, answer, context_bytes, ends_well, options, process, program, run, run_any,
};

#[test]
fn a_pool_lies_on_the_card_that_it_was_made_for() {
    let mut options = options(program("pools"), &["second card"]);
    options.card = Card::new("h100", None, 2).unwrap();
    let found = run_any(&options);
    found.runs.iter().for_each(ends_well);
    let [first, second] = answer(&found).cards[..] else { panic!("{:?}", answer(&found).cards) };
    assert_eq!((first.used, first.held), (0, context_bytes()));
    assert_eq!((second.used, second.reserved), (3000, GRANULE));
}

/// The driver keeps it until the last allocation of it is freed.
#[test]
fn memory_of_a_pool_that_is_destroyed_stays_until_it_is_freed() {
    let found = run("pools", &["destroyed"]);
    let process = process(&found);
    assert_eq!(process.wrong, [""; 0]);
    let named = |name: &str| process.marks.iter().find(|mark| mark.name == name).unwrap().cards[0];
    assert_eq!((named("destroyed").used, named("destroyed").reserved), (3000, GRANULE));
    assert_eq!(answer(&found).cards[0].used, 3500);
    assert_eq!((named("done").used, named("done").reserved), (0, GRANULE));
    assert_eq!((process.leaked, process.leaked_bytes), (0, 0));
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}

#[test]
fn any_number_of_pools_can_be_made_one_after_the_other() {
    let found = run("pools", &["many"]);
    assert_eq!((answer(&found).cards[0].used, answer(&found).cards[0].reserved), (1000, GRANULE));
    assert_eq!(answer(&found).requests, (1, 200));
}
