//! Programs whose calls are passed on to a driver.

use std::ffi::OsString;
use std::path::PathBuf;

use vram_virtual_card::error::DryRunError;
use vram_virtual_card::recording::{Counted, MarkKind, Process};
use vram_virtual_card::requests::{Step, Wanted};
use vram_virtual_card::run::{Invocation, Output};
use vram_virtual_card::trace::{Options, Traced, trace};

use crate::support::{GRANULE, MIB, driver, ends_well, program, set_environment, source};

fn options(program: PathBuf, arguments: &[&str]) -> Options {
    set_environment();
    let arguments = arguments.iter().map(OsString::from).collect();
    Options {
        invocation: Invocation { program, arguments },
        driver: driver(),
        requests: Wanted::Stacks,
        output: Output::Kept,
    }
}

fn traced(arguments: &[&str]) -> Traced {
    trace(&options(program("traced"), arguments), &|| false).unwrap()
}

fn process(traced: &Traced) -> &Process {
    let [process] = &traced.run.recording.processes[..] else {
        panic!("{:?}", traced.run.recording);
    };
    process
}

fn counted(process: &Process, mark: &str) -> Counted {
    let mark = process.marks.iter().find(|of| of.name == mark).unwrap();
    let [counted] = mark.counted[..] else { panic!("{mark:?}") };
    counted
}

#[test]
fn what_goes_by_is_counted_however_the_driver_is_found() {
    for arguments in [&["linked"][..], &["opened"], &["asked"], &["asked", "per thread"]] {
        let traced = traced(arguments);
        ends_well(&traced.run);
        let process = process(&traced);
        let at_mark = counted(process, "both");
        assert_eq!((at_mark.used, at_mark.went_by), (3000, 3000), "{arguments:?}");
        assert_eq!((at_mark.reserved, at_mark.elsewhere), (GRANULE, 0));
        assert_eq!(at_mark.total, Some(1 << 30));
        assert_eq!(at_mark.free, Some((1 << 30) - MIB - 5000 - GRANULE));
        let [card] = process.cards[..] else { panic!("{:?}", process.cards) };
        assert_eq!((card.used, card.outside, card.reserved), (3000, 5000, GRANULE));
        assert_eq!(traced.difference(), Some(0));
        assert!(process.ended);
        let last = process.marks.last().unwrap();
        assert_eq!(
            (last.kind, last.counted[0].used, last.counted[0].used_high),
            (MarkKind::End, 0, 3000)
        );
        let requests = process.requests.as_ref().unwrap();
        let stacks: Vec<_> = requests
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Allocate { stack, .. } => Some(&requests.stacks[stack.unwrap() as usize]),
                _ => None,
            })
            .collect();
        assert_eq!(stacks.len(), 2);
        let of = |address: u64| requests.modules.iter().find(|m| m.code.contains(&(address - 1)));
        assert!(stacks.iter().all(|stack| of(stack[0]).unwrap().path.ends_with("traced")));
        assert_eq!(process.driver_version, Some(13_000));
        assert_eq!(traced.cards[0].name, "a card 0");
        assert_eq!(traced.cards[0].memory_bytes, 1 << 30);
    }
}

#[test]
fn arguments_of_every_kind_arrive() {
    let traced = traced(&["arguments"]);
    ends_well(&traced.run);
    assert_eq!(process(&traced).uncounted, ["cuIpcOpenMemHandle_v2", "cuMemAlloc"]);
}

#[test]
fn pools_resets_and_refusals_are_followed() {
    let traced = traced(&["pools"]);
    ends_well(&traced.run);
    let process = process(&traced);
    let at_mark = counted(process, "two pools");
    assert_eq!((at_mark.used, at_mark.used_high, at_mark.went_by_high), (1000, 1000, 1000));
    assert_eq!((at_mark.elsewhere, at_mark.reserved_high), (2000, GRANULE));
    assert_eq!(traced.difference(), Some(0));
    let card = process.cards[0];
    assert_eq!((card.used, card.reserved), (50 * MIB, 2 * GRANULE), "as it was before the reset");
    assert_eq!(card.outside, 3 * 512);
    assert_eq!((process.failed[0].bytes, process.tally.failed_allocations), (2 << 30, 1));
    assert_eq!(process.settings.unwrap().release_threshold, 0);
    let kinds: Vec<MarkKind> = process.marks.iter().map(|mark| mark.kind).collect();
    assert_eq!(kinds, [MarkKind::Mark, MarkKind::Sync, MarkKind::End]);
    assert_eq!((process.leaked, process.leaked_bytes), (2, 2000 + 3 * 512));
}

#[test]
fn a_pool_that_says_something_else_is_told() {
    let lies = program("traced");
    let mut options = options("env".into(), &["LIES=7", lies.to_str().unwrap(), "linked"]);
    options.requests = Wanted::Nothing;
    let traced = trace(&options, &|| false).unwrap();
    ends_well(&traced.run);
    assert_eq!(traced.difference(), Some(7));
    let process = process(&traced);
    assert!(process.requests.is_none());
}

#[test]
fn threads_at_once_agree_with_the_pool() {
    let traced = traced(&["threads"]);
    ends_well(&traced.run);
    assert_eq!(traced.difference(), Some(0));
    let process = process(&traced);
    let last = process.marks.last().unwrap().counted[0];
    assert_eq!((last.used, last.went_by_high), (0, last.used_high));
    assert!(last.used_high >= 8000, "{last:?}");
    assert_eq!(process.requests.as_ref().unwrap().steps.len(), 8 * 2 * 5001);
    assert_eq!(process.tally.requests, 8 * 5001);
}

#[test]
fn a_copy_writes_nothing_down() {
    let traced = traced(&["forks"]);
    ends_well(&traced.run);
    let process = process(&traced);
    assert_eq!(process.tally.requests, 2);
    assert_eq!(process.marks.len(), 1, "the end alone: {:?}", process.marks);
    assert_eq!(traced.difference(), Some(0));
}

#[test]
fn what_a_killed_process_asked_for_is_there() {
    let traced = traced(&["killed"]);
    assert_eq!(traced.run.ending.signal(), Some(9));
    let process = process(&traced);
    assert!(!process.ended);
    assert_eq!(process.cards[0].used, 3000);
    assert_eq!((process.marks.len(), process.marks[0].steps), (1, 1));
    assert_eq!(process.requests.as_ref().unwrap().steps.len(), 2);
}

#[test]
fn a_program_that_calls_nothing_leaves_nothing() {
    let traced = traced(&["nothing"]);
    ends_well(&traced.run);
    assert!(traced.run.recording.processes.is_empty());
    assert_eq!((traced.difference(), traced.driver_version), (None, None));
}

#[test]
fn a_driver_that_is_none_is_an_error() {
    let mut options = options(program("traced"), &["linked"]);
    for driver in ["libcuda.so.1".into(), "/no/such/driver".into(), source("card.h")] {
        options.driver = driver;
        let error = trace(&options, &|| false).unwrap_err();
        assert!(matches!(error, DryRunError::NoDriver { .. }), "{error}");
    }
}
