//! Sizes at the ends: none, too much, and what is never freed.

use vram_virtual_card::verdict::Verdict;

use crate::support::{answer, process, run};

#[test]
fn no_bytes_are_an_allocation_that_counts_for_nothing() {
    let found = run("zero_bytes", &[]);
    assert_eq!(answer(&found).requests, (1, 1));
    assert_eq!(process(&found).wrong, [""; 0]);
    assert_eq!((process(&found).leaked, &process(&found).failed), (0, &Vec::new()));
    assert_eq!((answer(&found).cards[0].used, answer(&found).cards[0].outside), (512, 0));
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}
