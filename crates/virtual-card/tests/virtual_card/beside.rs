//! Memory that no pool holds.

use vram_virtual_card::verdict::Verdict;

use crate::support::{MIB, answer, process, run};

#[test]
fn page_locked_memory_of_the_host_is_counted_apart() {
    let found = run("beside", &["locked"]);
    assert_eq!(answer(&found).pinned_bytes, 3000 + 2000 + 5000);
    assert_eq!((answer(&found).cards[0].asked, process(&found).leaked), (512, 0));
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}

#[test]
fn memory_of_the_host_that_the_card_maps_is_told() {
    let found = run("beside", &["mapped"]);
    assert_eq!(answer(&found).verdict, Verdict::Exact, "after the peak it bears on nothing");
    assert_eq!(process(&found).shared, ["page-locked memory that the card maps"]);
    assert_eq!(answer(&found).pinned_bytes, 1000);
}

/// Until it is neither mapped nor known to the program: many let go of it as soon as it is mapped.
#[test]
fn memory_that_is_made_and_mapped_in_steps_counts_while_it_is_there() {
    for how in ["in steps", "released early"] {
        let found = run("beside", &[how]);
        let peaks = answer(&found).cards[0];
        assert_eq!((peaks.used, peaks.outside, peaks.asked), (1512, 6 * MIB, 1512 + 6 * MIB));
        assert_eq!((process(&found).leaked, process(&found).wrong.len()), (0, 0), "{how}");
        assert_eq!(answer(&found).verdict, Verdict::Exact);
    }
}
