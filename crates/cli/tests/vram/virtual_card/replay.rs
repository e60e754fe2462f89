//! `vram replay` on a virtual card, which is there to show that a card is asked as it should be: it
//! answers with the model that `--model` plays.

use std::fs;
use std::path::Path;

use super::{sandbox, vram};
use crate::support::{Ran, Sandbox};

/// Every kind of call, and memory that is left to the end.
const CALLS: &str = "\
set release_threshold 67108864
set reuse_allow_opportunistic off
set reuse_allow_internal_dependencies off
set reuse_follow_event_dependencies on
alloc 1 33554432 on 1
alloc 2 100000000 on 2
alloc 3 1000
free 1 on 1
event 4 on 1
wait 4 on 2
alloc 5 20000000 on 2
free 2 on 3
sync event 4
sync on 3
event 4 on 2
free 3
sync event 4
sync
trim 33554432
sync all
alloc 1 1
";

fn vram_itself() -> String {
    assert_cmd::cargo::cargo_bin!("vram").display().to_string()
}

/// `vram replay` of the sandbox's `calls.txt` in a dry run of two runs with `options`.
fn on_a_virtual_card(sandbox: &Sandbox, options: &[&str], args: &[&str]) -> Ran {
    let program = vram_itself();
    let dry_run = [&["dry-run", "--runs", "2"], options, &["--", &program, "replay"], args];
    vram(sandbox, &[&dry_run.concat()[..], &["calls.txt"]].concat())
}

fn on_the_model(sandbox: &Sandbox) -> String {
    let ran = vram(sandbox, &["replay", "--model", "calls.txt"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

#[test]
fn every_call_comes_to_what_it_does_on_the_model() {
    let sandbox = sandbox(&[]);
    sandbox.write("calls.txt", CALLS);
    let ran = on_a_virtual_card(&sandbox, &["--card", "h200"], &["--device", "cuda:0"]);
    assert_eq!((ran.code, ran.stdout), (Some(0), on_the_model(&sandbox)), "{}", ran.stderr);
    for said in [
        "cuda:0, a virtual NVIDIA H200: 21 calls, peak reserved ",
        "addresses 5 of 5 as the model has them; reserved 21 of 21 calls; peak reserved ",
        // Nothing is left, nothing is freed twice.
        "verdict         same in equal runs",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("alive at the end"), "{}", ran.stderr);
}

/// What an H200 did, by the same way on which a card is asked.
#[test]
fn a_recorded_sequence_is_as_its_file_has_it() {
    let addresses = "../virtual-card/tests/addresses/h200/default_up_to_16_mib_with_syncs.txt";
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join(addresses);
    let sandbox = sandbox(&[]);
    sandbox.write("calls.txt", &fs::read_to_string(recorded).unwrap());
    let ran = on_a_virtual_card(&sandbox, &[], &[]);
    assert_eq!((ran.code, ran.stdout), (Some(0), on_the_model(&sandbox)));
    assert!(ran.stderr.contains(" as the file has them; "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("first difference"), "{}", ran.stderr);
}

#[test]
fn a_card_without_room_ends_the_play_at_the_line() {
    let sandbox = sandbox(&[]);
    sandbox.write("calls.txt", "alloc 1 1000\n# too much\nalloc 2 2000000000\nfree 1\n");
    let ran = on_a_virtual_card(&sandbox, &["--vram", "1GiB"], &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "alloc 1 1000 = 0 1000 33554432\n"));
    let said = "calls.txt:3: the card has no room for 2000000000 bytes more";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(!ran.stderr.contains("alive at the end"), "{}", ran.stderr);
}

#[test]
fn a_card_that_is_not_there_is_told() {
    let sandbox = sandbox(&[]);
    sandbox.write("calls.txt", "sync\n");
    let ran = on_a_virtual_card(&sandbox, &["--cards", "2"], &["--device", "cuda:2"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("there is no cuda:2: this process sees 2 cards"), "{}", ran.stderr);
}

#[test]
fn the_calls_of_a_program_are_written_as_a_sequence_that_comes_to_the_same() {
    let sandbox = sandbox(&[]);
    sandbox.write("calls.txt", CALLS);
    let ran = on_a_virtual_card(&sandbox, &["--calls", "written.txt"], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let again = vram(&sandbox, &["replay", "--model", "written.txt"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    // Results of the calls that change something, without events, which stand where something waits
    // for them, and up to where the play frees what is left.
    let results = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("event"));
        lines.filter_map(|line| Some(line.split_once(" = ")?.1.to_owned())).collect()
    };
    let (played, written) = (results(&ran.stdout), results(&again.stdout));
    assert_eq!(written[..played.len()], played);
    assert!(again.stdout.ends_with("\nsync all = 0 33554432\n"), "{}", again.stdout);
}

#[test]
fn where_there_are_no_calls_or_no_place_for_them_there_is_no_file() {
    let sandbox = sandbox(&[]);
    let ran = vram(&sandbox, &["dry-run", "--runs", "1", "--calls", "written.txt", "--", "true"]);
    assert_eq!(ran.code, Some(1));
    let said = "written.txt is not written: there were no calls";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(!sandbox.path("written.txt").exists());

    sandbox.write("calls.txt", "alloc 1 5\n");
    let ran = on_a_virtual_card(&sandbox, &["--calls", "no/such/file"], &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("error: cannot write no/such/file: "), "{}", ran.stderr);
}
