//! The largest number, against what arithmetic says of a program that holds A + N*B bytes.

use vram_virtual_card::max_batch::{
    Bound, MaxBatch, MaxBatchError, Options, PLACEHOLDER, Trial, max_batch,
};
use vram_virtual_card::recording::Failed;

use crate::support::{GIB, GRANULE, MIB, card, context_bytes, linked, options, stub};

/// Of the card of these tests.
const MEMORY: u64 = 4 * GIB;

/// Sizes that no granule and no alignment divides.
const A: u64 = 123_456_789;
const B: u64 = 7_654_321;

/// What a pool makes of A inside.
const A_ALIGNED: u64 = A.next_multiple_of(512);

fn search(does: &str, guard: f64) -> (Result<MaxBatch, MaxBatchError>, Vec<Trial>) {
    let stubs = [
        stub("libcuda.so.1", "cuda", None),
        stub("libcublas.so.13", "cublas", Some("libcublas.so.13")),
    ];
    let program = linked("batch", "batch", &stubs);
    let (a, b) = (A.to_string(), B.to_string());
    let invocation = options(program, &[&a, &b, does, PLACEHOLDER]).invocation;
    let options = Options { invocation, card: card(Some(MEMORY)), guard };
    let mut told = Vec::new();
    let found = max_batch(&options, &|| false, &mut |trial| told.push(trial.clone()));
    (found, told)
}

/// The largest number that was found, and what keeps the next from fitting.
fn largest(does: &str, guard: f64) -> (Trial, Bound) {
    let (found, told) = search(does, guard);
    let found = found.unwrap();
    let largest = found.largest.unwrap();
    assert_eq!(found.next.number, largest.number + 1);
    assert_eq!(found.runs, told.len());
    // Nothing that was seen speaks against it.
    for trial in told {
        assert_eq!(trial.bound.is_none(), trial.number <= largest.number, "{trial:?}");
    }
    (largest, found.next.bound.unwrap())
}

/// What the pool holds with this number.
fn reserved(number: u64) -> u64 {
    (A_ALIGNED + (number * B).next_multiple_of(512)).next_multiple_of(GRANULE)
}

#[test]
fn under_half_a_card_the_guard_decides() {
    let (largest, bound) = largest("holds", 0.5);
    assert_eq!(largest.number, (MEMORY / 2 - A_ALIGNED) / B);
    assert_eq!(bound, Bound::Guard(MEMORY / 2));
    let peaks = largest.peaks;
    assert_eq!((peaks.used, peaks.reserved), (A + largest.number * B, reserved(largest.number)));
    assert_eq!(peaks.held, peaks.reserved + context_bytes());
}

#[test]
fn under_the_whole_card_the_allocation_that_has_no_room_decides() {
    let (largest, bound) = largest("holds", 1.0);
    let room = (MEMORY - context_bytes()) / GRANULE * GRANULE;
    assert_eq!(largest.number, (room - A_ALIGNED) / B);
    let failed = Failed {
        what: "an allocation".to_owned(),
        card: 0,
        bytes: (largest.number + 1) * B,
        held: context_bytes() + A_ALIGNED.next_multiple_of(GRANULE),
    };
    assert_eq!(bound, Bound::Allocation(failed));
}

/// A library's own memory comes last and is not refused: the sum decides.
#[test]
fn what_libraries_take_beside_it_counts() {
    let (largest, bound) = largest("library", 1.0);
    let handle = card(None).model().libraries.blas_handle;
    let room = (MEMORY - context_bytes() - handle) / GRANULE * GRANULE;
    assert_eq!(largest.number, (room - A_ALIGNED) / B);
    assert_eq!(bound, Bound::Card(MEMORY));
}

#[test]
fn memory_outside_pools_grows_too() {
    let (largest, bound) = largest("direct", 1.0);
    let beside = context_bytes() + A_ALIGNED.next_multiple_of(GRANULE);
    assert_eq!(largest.number, (MEMORY - beside) / (2 * MIB) * (2 * MIB) / B);
    assert_eq!(largest.peaks.outside, (largest.number * B).next_multiple_of(2 * MIB));
    let failed = Failed {
        what: "an allocation".to_owned(),
        card: 0,
        bytes: (largest.number + 1) * B,
        held: beside,
    };
    assert_eq!(bound, Bound::Allocation(failed));
}

#[test]
fn a_program_that_does_not_fit_at_all_has_no_number() {
    let (found, _) = search("holds", 0.01);
    let found = found.unwrap();
    assert!(found.largest.is_none());
    assert_eq!((found.next.number, found.runs), (1, 1));
    assert_eq!(found.next.bound, Some(Bound::Guard(MEMORY / 100)));
}

#[test]
fn a_program_that_fails_for_another_reason_is_told_with_what_it_said() {
    let (found, told) = search("breaks", 1.0);
    let Err(MaxBatchError::Failed { number, ending, output }) = found else { panic!("{found:?}") };
    assert_eq!((number, ending.code()), (8, Some(3)));
    assert_eq!(String::from_utf8(output).unwrap(), "more than 5 is broken\n");
    assert_eq!(told.iter().map(|trial| trial.number).collect::<Vec<_>>(), [1, 2, 4]);
}

#[test]
fn a_program_that_does_not_grow_is_told() {
    let (found, _) = search("stays", 1.0);
    let Err(error) = found else { panic!("{found:?}") };
    let said = "the program's memory does not grow with the number: 1 and 32 peak alike";
    assert_eq!(error.to_string(), said);
}

#[test]
fn a_program_that_asks_for_free_memory_is_told() {
    let (found, _) = search("asks", 0.5);
    let found = found.unwrap();
    assert!(found.reads_free_memory);
    assert_eq!(found.largest.unwrap().number, (MEMORY / 2 - A_ALIGNED) / B);
    assert!(!search("holds", 0.01).0.unwrap().reads_free_memory);
}

/// However much it is given, it fits.
#[test]
fn a_program_that_sizes_itself_by_free_memory_is_told_so() {
    let (found, _) = search("adapts", 1.0);
    let Err(error) = found else { panic!("{found:?}") };
    let said = error.to_string();
    assert!(said.contains("does not grow with the number"), "{said}");
    assert!(said.contains("it asks how much memory is free"), "{said}");
}

#[test]
fn without_a_placeholder_nothing_runs() {
    let invocation = options("true".into(), &["8"]).invocation;
    let options = Options { invocation, card: card(None), guard: 1.0 };
    let mut told = Vec::new();
    let found = max_batch(&options, &|| false, &mut |trial| told.push(trial.clone()));
    assert!(matches!(found, Err(MaxBatchError::NoPlaceholder)), "{found:?}");
    assert!(told.is_empty());
}
