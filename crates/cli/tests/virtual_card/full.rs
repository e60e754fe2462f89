//! A card with too little memory: for a step, which is a result, and for a context, which is not.

use vram_virtual_card::card::Card;

use crate::machine::{Machine, SMALL, VRAM, VRAM_CUDA, has};

fn with_memory(bytes: u64) -> Machine {
    Machine::with(Card::new("h100", Some(bytes), 1).unwrap())
}

#[test]
fn a_step_that_does_not_fit_is_recorded() {
    let machine = with_memory(4 << 30);
    for (step, said) in [
        ("fused", "out of memory: ring tape needs 8589934592 bytes and they were refused"),
        ("plain", "out of memory in an operation of candle's, which does not say how much"),
    ] {
        let arguments = [&SMALL[..], &["--batch", "16", "--step", step]].concat();
        let (run, record) = machine.probe(step, &arguments);
        let metrics = &record.metrics;
        assert!(metrics.had_oom && !metrics.stability_pass, "{step}");
        assert_eq!(metrics.reasons(), "runtime_exception, oom");
        has(metrics.runtime_exception_msg.as_deref().unwrap(), &[said]);
        assert_eq!(metrics.total_vram_bytes, Some(4 << 30));
        let failed = &run.recording.processes[0].failed;
        assert!(failed.iter().all(|failed| failed.what == "an allocation"), "{failed:?}");
        assert!(!failed.is_empty());
    }
}

/// What the ledger knows beforehand is told beforehand.
#[test]
fn a_step_that_will_not_fit_is_warned_of() {
    let machine = with_memory(4 << 30);
    let out = machine.path("run");
    let probe = ["probe", "--batch", "16", "--output-dir", out.to_str().unwrap()];
    let (run, said) = machine.run(VRAM_CUDA, &[&probe[..], &SMALL].concat());
    assert_eq!(run.ending.code(), Some(0), "{said}");
    has(&said, &["the step needs 8.094 GiB", "it will likely run out of memory", "status: FAIL"]);
}

#[test]
fn a_card_without_room_for_a_context_is_refused() {
    let machine = with_memory(256 << 20);
    for program in [VRAM, VRAM_CUDA] {
        let said = machine.refusal(program, &["--batch", "16", "--device", "cuda"]);
        has(&said, &["cannot open cuda:0, NVIDIA H100 80GB HBM3 (0.250 GiB free)", "nvidia-smi"]);
    }
}
