//! What a program reads of the card's memory, and what that says of its peak.

use std::path::PathBuf;

use vram_virtual_card::dry_run::{Options, dry_run};
use vram_virtual_card::run::Fill;
use vram_virtual_card::verdict::{Reason, Seen, Verdict};

use crate::support::{Heard, MIB, answer, options, program, run, run_any};

const SAME: Verdict = Verdict::SameUnderFills { fills: 2 };

/// Of a pool, and outside of one.
const READERS: [&str; 2] = ["reads", "reads_direct"];

#[test]
fn a_computed_value_that_is_read_before_the_peak_keeps_it_from_being_exact() {
    for reader in READERS {
        let found = run(reader, &["before"]);
        assert_eq!(answer(&found).reasons, [Reason::ComputedRead(4)], "{reader}");
        assert_eq!(answer(&found).verdict, SAME, "{reader}");
    }
}

#[test]
fn a_computed_value_that_is_read_after_the_peak_does_not() {
    for reader in READERS {
        let found = run(reader, &["after"]);
        assert_eq!(answer(&found).reasons, []);
        assert_eq!(answer(&found).verdict, Verdict::Exact);
        assert_eq!(answer(&found).requests, (2, 2));
        assert_eq!(answer(&found).peak_at, "between `begun` and `sized`");
    }
}

#[test]
fn a_value_that_decides_a_size_is_told_with_what_was_seen_and_where_runs_part() {
    for reader in READERS {
        let mut options = options(program(reader), &["size"]);
        options.runs = 6;
        let found = run_any(&options);
        let Verdict::DependsOnValues(seen) = &answer(&found).verdict else {
            panic!("{reader}: {:?}", answer(&found).verdict);
        };
        // Zeros ask for the least.
        assert_eq!(found.runs[2].fill, Fill::Zeros);
        assert_eq!(seen.least, 512 + MIB, "{reader}");
        assert!(seen.most > seen.least && seen.most <= seen.least + 7 * 4 * MIB, "{seen:?}");
        assert_eq!(seen.parts_at.as_deref(), Some("`sized`"));
    }
}

fn writes(what: &str) -> (Verdict, Vec<Reason>) {
    let found = run("writes", &[what]);
    (answer(&found).verdict.clone(), answer(&found).reasons.clone())
}

#[test]
fn what_the_host_wrote_is_no_computed_value() {
    assert_eq!(writes("read back"), (Verdict::Exact, vec![]));
    assert_eq!(writes("copied"), (Verdict::Exact, vec![]));
}

#[test]
fn what_memory_was_set_to_is_no_computed_value() {
    assert_eq!(writes("set"), (Verdict::Exact, vec![]));
}

#[test]
fn a_kernel_writes_what_lies_at_the_addresses_that_it_gets_and_nothing_else() {
    assert_eq!(writes("launched beside"), (Verdict::Exact, vec![]));
    for what in ["launched on", "launched on mapped", "launched by a table"] {
        assert_eq!(writes(what), (SAME, vec![Reason::ComputedRead(100)]), "{what}");
    }
}

#[test]
fn equal_runs_that_differ_are_told() {
    let found = run("differs", &[]);
    let peaks = || found.runs.iter().map(|run| run.recording.cards[0].used);
    let seen = Seen {
        least: peaks().min().unwrap(),
        most: peaks().max().unwrap(),
        parts_at: Some("`sized`".to_owned()),
    };
    assert!(seen.least < seen.most);
    assert_eq!(answer(&found).verdict, Verdict::DiffersBetweenEqualRuns(seen));
}

fn course() -> Options {
    let program: PathBuf = program("reads");
    options(program, &["course"])
}

#[test]
fn a_run_that_breaks_off_before_the_peak_counts_for_none() {
    let mut heard = Heard::default();
    let found = dry_run(&course(), &mut heard).unwrap();
    let codes: Vec<_> = found.runs.iter().map(|run| run.ending.code().unwrap()).collect();
    assert_eq!(codes, [0, 0, 3, 0], "of zeros alone");
    assert_eq!((heard.begun, heard.failed), (vec![1, 2, 3, 4], vec![3]));
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 1 });
    let told = [Reason::ComputedRead(4), Reason::EndedBeforeThePeak(1)];
    assert_eq!(answer(&found).reasons, told);
}

#[test]
fn one_run_is_compared_with_nothing() {
    let mut options = course();
    options.runs = 1;
    let found = run_any(&options);
    assert_eq!(answer(&found).verdict, Verdict::NotCompared);
    assert_eq!(found.runs.len(), 1);
}
