//! `vram replay --model`, and every way in which nothing is played. On a card: `virtual_card::replay`.

use serde_json::json;

use crate::support::{Ran, Sandbox};

fn replay(text: &str, args: &[&str]) -> Ran {
    let sandbox = Sandbox::new();
    sandbox.write("calls.txt", text);
    sandbox.vram(&[&["replay"], args, &["calls.txt"]].concat())
}

#[test]
fn what_is_printed_is_a_sequence_that_comes_to_the_same() {
    let ran = replay("alloc 1 600 on 1  # a comment\n\nfree 1 on 1\nsync on 1\n", &["--model"]);
    let printed = "\
        alloc 1 600 on 1 = 0 600 33554432\nfree 1 on 1 = 0 33554432\nsync on 1 = 0 0\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), printed));
    let peak = "the model of the driver's pool: 3 calls, peak reserved 33,554,432 bytes\n";
    assert_eq!(ran.stderr, peak);

    let again = replay(printed, &["--model"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), printed));
    let equal = "addresses 1 of 1 as the file has them; reserved 3 of 3 calls; \
                 peak reserved 33,554,432 bytes, file 33,554,432\n";
    assert_eq!(again.stderr, format!("{peak}{equal}"));
    assert_eq!(replay(printed, &["-q", "--model"]).stderr, "");
}

#[test]
fn a_difference_is_told_with_its_line_and_is_no_failure() {
    let text = "# two\nalloc 1 5 = 0 5 33554432\nalloc 2 5 = 1024 10 33554432\n";
    for args in [&["--model"][..], &["--model", "-q"]] {
        let ran = replay(text, args);
        assert_eq!(ran.code, Some(0));
        let said = "first difference at line 3: `alloc 2 5 = 512 10 33554432`, \
                    file `= 1024 10 33554432`";
        assert!(ran.stderr.contains("addresses 1 of 2 as the file has them"), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn json_has_the_calls_and_what_they_were_compared_with() {
    let ran = replay("\nalloc 3 5 = 0 5 0\nfree 3\n", &["--model", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let (used, reserved) = (5, 33_554_432);
    let expected = json!({
        "played_on": "the model of the driver's pool",
        "peak_reserved_bytes": reserved,
        "calls": [
            {
                "line": 2,
                "call": "alloc 3 5",
                "offset": 0,
                "used_bytes": used,
                "reserved_bytes": reserved,
            },
            {
                "line": 3,
                "call": "free 3",
                "offset": null,
                "used_bytes": 0,
                "reserved_bytes": reserved,
            },
        ],
        "compared_with_file": {
            "addresses": { "equal": 1, "of": 1 },
            "reserved": { "equal": 0, "of": 1 },
            "peak_reserved_bytes": reserved,
            "expected_peak_reserved_bytes": 0,
            "first_difference_at_line": 2,
        },
    });
    assert_eq!(found, expected);
}

/// Whichever it is played on, it is told before a card is asked for.
#[test]
fn what_is_no_sequence_is_refused_at_its_line() {
    for (text, said) in [
        ("alloc 1 5\nallot 2 5\n", "calls.txt:2: expected alloc, free, event, wait, sync"),
        ("# 1\n\nfree 7\n", "calls.txt:3: there is no allocation 7 here"),
        ("alloc 1 5\nalloc 1 6\n", "calls.txt:2: there is an allocation 1 already"),
        ("sync event 4\n", "calls.txt:1: no event 4 was recorded"),
        ("alloc 1 0\n", "calls.txt:1: nobody can allocate 0 bytes"),
        ("# nothing\n", "calls.txt has no calls"),
        ("", "calls.txt has no calls"),
    ] {
        for args in [&["--model"][..], &[]] {
            let ran = replay(text, args);
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{text}");
            assert!(ran.stderr.contains(said), "{text}: {}", ran.stderr);
        }
    }
}

#[test]
fn what_cannot_be_read_or_meant_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("calls.txt", "sync\n");
    std::fs::write(sandbox.path("bytes"), b"sync\n\xff").unwrap();
    for (args, said) in [
        (&["none.txt"][..], "cannot read none.txt: No such file"),
        (&["."], "cannot read .: Is a directory"),
        (&["bytes"], "cannot read bytes: stream did not contain valid UTF-8"),
        (&["-"], "standard input has no calls"),
        (&["--device", "cpu", "calls.txt"], "to play without a card: --model"),
        (&["--model", "--device", "cuda:0", "calls.txt"], "cannot be used with"),
        // No card is in sight of these tests.
        (&["calls.txt"], "or play on the model: --model"),
    ] {
        let ran = sandbox.vram(&[&["replay"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
}
