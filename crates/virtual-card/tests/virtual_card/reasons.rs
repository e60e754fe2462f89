//! What keeps a peak from being exact, and what keeps a program from having one, each by its name.

use vram_virtual_card::dry_run::dry_run;
use vram_virtual_card::error::DryRunError;
use vram_virtual_card::verdict::{Reason, Refusal, Verdict};

use crate::support::{
    Heard, answer, empty_library, ends_well, options, process, program, refusal, run, run_any,
    static_program,
};

/// A program that does this before its peak has this one reason.
fn is_told(what: &str, reason: Reason) {
    let found = run("asks", &[what]);
    assert_eq!(answer(&found).reasons, [reason], "{what}");
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 }, "{what}");
}

#[test]
fn what_does_nothing_of_the_kind_is_exact() {
    assert_eq!(answer(&run("asks", &["nothing"])).verdict, Verdict::Exact);
}

#[test]
fn a_question_for_free_memory_is_told() {
    is_told("free memory", Reason::FreeMemoryRead(1));
}

#[test]
fn a_time_of_events_is_told() {
    is_told("times", Reason::TimesRead(1));
}

#[test]
fn an_attribute_that_is_not_recorded_is_told_by_its_number() {
    is_told("attribute", Reason::AttributesNotRecorded(vec!["9999".to_owned()]));
}

#[test]
fn a_function_that_is_not_modelled_is_told_by_its_name() {
    is_told("graph", Reason::NotModelled(vec!["cuGraphCreate".to_owned()]));
}

#[test]
fn a_capture_is_refused_and_told() {
    is_told("capture", Reason::NotModelled(vec!["cuStreamBeginCapture".to_owned()]));
}

#[test]
fn managed_memory_is_told() {
    is_told("managed", Reason::SharedMemory(vec!["managed memory".to_owned()]));
}

#[test]
fn a_second_stream_is_told() {
    is_told("streams", Reason::Streams(2));
}

#[test]
fn the_drivers_private_tables_leave_no_verdict() {
    let found = run_any(&options(program("asks"), &["tables"]));
    ends_well(&found.runs[0]);
    assert_eq!(*refusal(&found), Refusal::PrivateTables);
}

#[test]
fn a_library_of_nvidias_leaves_no_verdict_and_is_named() {
    let library = empty_library("libcudnn.so.9");
    let path = library.to_str().unwrap();
    let found = run_any(&options(program("loads"), &[path]));
    ends_well(&found.runs[0]);
    assert_eq!(*refusal(&found), Refusal::RealLibraries(vec![path.to_owned()]));
}

#[test]
fn a_library_of_somebody_elses_changes_nothing() {
    let library = empty_library("libcudgel.so.9");
    let found = run("loads", &[library.to_str().unwrap()]);
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}

#[test]
fn a_program_without_cuda_leaves_no_verdict() {
    let found = run_any(&options("true".into(), &[]));
    ends_well(&found.runs[0]);
    assert_eq!(*refusal(&found), Refusal::NoCuda);
}

#[test]
fn a_program_that_allocates_nothing_leaves_no_verdict() {
    let found = run_any(&options(program("opens"), &[]));
    ends_well(&found.runs[0]);
    assert_eq!(process(&found).tally.requests, 0);
    assert_eq!(*refusal(&found), Refusal::NothingAllocated);
}

#[test]
fn a_program_that_is_linked_statically_is_refused_and_never_started() {
    let alone = static_program("alone");
    let mut heard = Heard::default();
    let error = dry_run(&options(alone.clone(), &[]), &mut heard).unwrap_err();
    assert!(matches!(&error, DryRunError::Static { program } if *program == alone), "{error}");
    assert_eq!(heard.begun, [0; 0]);
}

#[test]
fn a_program_that_is_not_there_is_refused_by_its_name() {
    let error = dry_run(&options("no-such-program".into(), &[]), &mut Heard::default());
    assert!(matches!(error, Err(DryRunError::NoProgram { .. })), "{error:?}");
}
