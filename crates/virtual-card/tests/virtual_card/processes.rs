//! Processes that are killed, become other programs, share the card or are copied.

use std::path::PathBuf;

use vram_virtual_card::dry_run::DryRun;
use vram_virtual_card::verdict::{Reason, Refusal, Verdict};

use crate::support::{
    GIB, GRANULE, answer, context_bytes, ends_well, linked, options, process, program, refusal,
    run, run_any, source, stub,
};

#[test]
fn a_process_that_is_killed_in_the_middle_is_told() {
    let found = run_any(&options(program("killed"), &["kill", "1000"]));
    assert_eq!(found.runs[0].ending.signal(), Some(9));
    assert!(!process(&found).ended);
    assert_eq!((process(&found).leaked, process(&found).leaked_bytes), (1, 1000));
    let told = [Reason::Ended("signal 9".to_owned()), Reason::EndedAbruptly];
    assert_eq!(answer(&found).reasons, told);
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 });
    assert_eq!(answer(&found).cards[0].used, 1000);
}

#[test]
fn a_process_that_leaves_without_its_destructors_is_told() {
    let found = run("killed", &["leave", "1000"]);
    assert_eq!(answer(&found).reasons, [Reason::EndedAbruptly]);
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 });
}

/// More than half of the card each: the second fits because the first is no more.
#[test]
fn what_a_killed_process_held_is_the_cards_again() {
    let (bytes, killed) = (50 * GIB, program("killed"));
    let arguments = [killed.to_str().unwrap(), &bytes.to_string()];
    let found = run_any(&options(source("in_a_row.sh"), &arguments));
    found.runs.iter().for_each(ends_well);
    let processes = &found.runs[0].recording.processes;
    assert_eq!(processes.iter().filter(|process| process.ended).count(), 1);
    assert_eq!(answer(&found).cards[0].used, bytes);
    let told = [Reason::Processes(2), Reason::EndedAbruptly];
    assert_eq!(answer(&found).reasons, told);
    assert!(matches!(answer(&found).verdict, Verdict::SameUnderFills { .. }));
}

#[test]
fn a_program_that_becomes_another_gives_its_memory_back() {
    let (becomes, killed) = (program("becomes"), program("killed"));
    let (before, after) = ((50 * GIB).to_string(), (60 * GIB).to_string());
    let found = run_any(&options(becomes, &[&before, killed.to_str().unwrap(), "live", &after]));
    found.runs.iter().for_each(ends_well);
    let processes = &found.runs[0].recording.processes;
    assert_eq!(processes.len(), 2);
    assert_eq!(processes[0].pid, processes[1].pid);
    assert_ne!(processes[0].program, processes[1].program);
    let mut used: Vec<u64> = processes.iter().map(|process| process.cards[0].used).collect();
    used.sort_unstable();
    assert_eq!(used, [50 * GIB, 60 * GIB]);
    assert_eq!(answer(&found).cards[0].used, 60 * GIB);
}

#[test]
fn what_two_processes_hold_at_once_adds_up() {
    let bytes = 3 * GIB;
    let found = run("two_at_once", &[&bytes.to_string()]);
    for run in &found.runs {
        let [card] = run.recording.cards[..] else { panic!("{:?}", run.recording.cards) };
        assert_eq!((card.used, card.reserved), (2 * bytes, 2 * bytes));
        assert_eq!(card.held, 2 * (bytes + context_bytes()));
        for process in &run.recording.processes {
            assert_eq!((process.cards[0].used, process.ended), (bytes, true));
        }
    }
    assert_eq!(answer(&found).reasons, [Reason::Processes(2)]);
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 });
}

/// A program that is linked with cudart and cuBLAS as well.
fn with_libraries(name: &str) -> PathBuf {
    let stubs = [
        stub("libcuda.so.1", "cuda", None),
        stub("libcudart.so.13", "cudart", Some("libcudart.so.13")),
        stub("libcublas.so.13", "cublas", Some("libcublas.so.13")),
    ];
    linked(name, name, &stubs)
}

fn after_fork(what: &str) -> DryRun {
    let found = run_any(&options(with_libraries("after_fork"), &[what]));
    found.runs.iter().for_each(ends_well);
    found
}

#[test]
fn cuda_in_a_copy_of_a_process_that_had_used_it_is_refused() {
    for what in ["driver", "cudart", "launch", "cublas"] {
        let found = after_fork(what);
        assert_eq!(*refusal(&found), Refusal::UsedAfterFork, "{what}");
        assert_eq!(found.runs.len(), 1, "one run is enough");
    }
}

#[test]
fn a_copy_that_leaves_cuda_alone_changes_nothing() {
    let found = after_fork("nothing");
    assert_eq!(answer(&found).verdict, Verdict::Exact);
    assert_eq!(answer(&found).cards[0].reserved, GRANULE);
}

/// How many cards there are is often asked before workers are forked.
#[test]
fn a_copy_of_a_process_that_only_asked_is_a_process_of_its_own() {
    let stubs = [stub("libcuda.so.1", "cuda", None), stub("libnvidia-ml.so.1", "nvml", None)];
    let found = run_any(&options(linked("asks_and_forks", "asks_and_forks", &stubs), &[]));
    found.runs.iter().for_each(ends_well);
    let processes = &found.runs[0].recording.processes;
    let mut used: Vec<u64> = processes.iter().map(|process| process.cards[0].used).collect();
    used.sort_unstable();
    assert_eq!(used, [1000, 2000]);
    assert!(processes.iter().all(|process| process.ended && process.leaked == 0));
    assert_ne!(processes[0].pid, processes[1].pid);
}

/// Nothing of CUDA has to be called before a library, which opens the card by itself.
#[test]
fn a_library_that_is_called_first_opens_the_card() {
    let found = run_any(&options(with_libraries("library_first"), &[]));
    found.runs.iter().for_each(ends_well);
    let card = answer(&found).cards[0];
    let handle = crate::support::card(None).model().libraries.blas_handle;
    assert_eq!((card.outside, card.held), (2 << 20, context_bytes() + handle + (2 << 20)));
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}
