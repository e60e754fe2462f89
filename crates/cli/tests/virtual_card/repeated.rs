//! One program again and again: a dry run of several runs, and the search for the largest batch.

use std::fs;

use vram_artifacts::run_record::read;
use vram_virtual_card::card::Card;
use vram_virtual_card::max_batch::{Options, max_batch};
use vram_virtual_card::verdict::Verdict;

use crate::machine::{Machine, SMALL, TINY, VRAM_CUDA};

/// A probe refuses a directory that holds a run; a run of a virtual card gives way.
#[test]
fn a_probe_runs_as_often_as_a_dry_run_takes() {
    let machine = Machine::new();
    let out = machine.path("run");
    for step in ["fused", "plain"] {
        let probe = ["-q", "probe", "--step", step, "--output-dir", out.to_str().unwrap()];
        let found = machine.runs(11, VRAM_CUDA, &[&probe[..], &TINY].concat());
        for run in &found.runs {
            let said = String::from_utf8_lossy(&run.output);
            assert_eq!(run.ending.code(), Some(0), "{step}: {said}");
            assert_eq!(run.recording.cards, found.runs[0].recording.cards, "{step}");
        }
        let answer = found.outcome.unwrap();
        // A probe asks how much memory is free, to warn.
        let fills = matches!(answer.verdict, Verdict::SameUnderFills { fills: 8.. });
        assert!(fills, "{:?}, {:?}", answer.verdict, answer.reasons);
        let record = read(&out).unwrap();
        assert_eq!(record.metrics.peak_vram_allocated_bytes, Some(answer.cards[0].used), "{step}");
    }
}

/// What was measured is nobody's to replace.
#[test]
fn a_measured_run_is_left_as_it_is() {
    let machine = Machine::new();
    machine.probe("run", &TINY);
    let env = machine.path("run/env.json");
    let text = fs::read_to_string(&env).unwrap();
    let measured = text.replace("\"virtual_card\": true", "\"virtual_card\": false");
    assert_ne!(measured, text);
    fs::write(&env, measured).unwrap();
    let before = fs::read(machine.path("run/metrics.json")).unwrap();
    let out = machine.path("run").display().to_string();
    let arguments = [&["probe", "--output-dir", &out], &TINY[..]].concat();
    let (run, said) = machine.run(VRAM_CUDA, &arguments);
    assert_eq!(run.ending.code(), Some(2), "{said}");
    assert!(said.contains("already holds a run"), "{said}");
    assert_eq!(fs::read(machine.path("run/metrics.json")).unwrap(), before);
}

/// 29 samples are what the step's ledger predicts for 16 GiB.
#[test]
fn the_largest_batch_is_the_ledgers() {
    let machine = Machine::new();
    let out = machine.path("run").display().to_string();
    let arguments = [&["-q", "probe", "--output-dir", &out, "--batch", "{}"], &SMALL[..]].concat();
    let options = Options {
        invocation: machine.invocation(VRAM_CUDA, &arguments),
        card: Card::new("h100", Some(16 << 30), 1).unwrap(),
        guard: 0.92,
    };
    let found = max_batch(&options, &|| false, &mut |_| ()).unwrap();
    assert_eq!(found.largest.map(|trial| trial.number), Some(29));
    assert_eq!(found.next.number, 30);
}
