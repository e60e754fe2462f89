//! Frees that the driver refuses are told, and change nothing.

use vram_virtual_card::verdict::Verdict;

use crate::support::{answer, process, run};

/// A free of this kind is refused and told in these words, and the allocation is what it was.
fn is_told(kind: &str, words: &str) {
    let found = run("frees", &[kind]);
    let wrong = &process(&found).wrong;
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].starts_with(words), "{wrong:?}");
    assert_eq!(process(&found).leaked, 0);
    assert_eq!(answer(&found).cards[0].used, 1 << 20);
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}

#[test]
fn a_second_free_is_told() {
    is_told("twice", "freed twice, or never allocated, cuMemFreeAsync, 0x");
}

#[test]
fn a_free_of_an_address_that_is_not_the_cards_is_told() {
    is_told("foreign", "freed an address that is not the card's, cuMemFreeAsync, 0x");
}

#[test]
fn a_free_inside_an_allocation_is_told() {
    is_told("inside", "freed an address inside an allocation, cuMemFreeAsync, 0x");
}

#[test]
fn freeing_nothing_succeeds() {
    let found = run("frees", &["null"]);
    assert_eq!(process(&found).wrong, [""; 0]);
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}
