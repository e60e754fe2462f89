//! Several cards, one that is hidden, none: counters on the one that is named, and what is said.

use vram_artifacts::run_record::RunRecord;
use vram_virtual_card::card::Card;

use crate::machine::{Machine, SMALL, VRAM, VRAM_CUDA, has};

fn two() -> Machine {
    Machine::with(Card::new("h100", None, 2).unwrap())
}

#[test]
fn the_second_of_two_cards_holds_everything() {
    let arguments = [&SMALL[..], &["--batch", "16", "--device"]].concat();
    let machine = two();
    for (device, number, idle) in [("cuda:1", 1, 0), ("cuda:0", 0, 1)] {
        let (run, record) = machine.probe(device, &[&arguments[..], &[device]].concat());
        let cards = &run.recording.cards;
        // DP1's, as on one card.
        assert_eq!(cards[number].used, 8_673_857_098, "{device}");
        assert_eq!(cards[number].reserved, 259 << 25, "{device}");
        assert_eq!(record.metrics.peak_vram_allocated_bytes, Some(cards[number].used));
        assert!(cards.get(idle).is_none_or(|card| card.held == 0), "{device}: {cards:?}");
    }
}

/// What is measured on one card is its own, and what every other would have been measured for.
#[test]
fn every_card_of_a_machine_measures_the_same() {
    let machine = Machine::with(Card::new("h100", None, 4).unwrap());
    let probe = |device| {
        let arguments = [&SMALL[..], &["--batch", "16", "--device", device]].concat();
        machine.probe(device, &arguments)
    };
    let (run, third) = probe("cuda:2");
    let uuid = "GPU-76697274-7561-6c20-6361-726400000002";
    assert_eq!(third.env.gpu_uuid.as_deref(), Some(uuid));
    assert!(run.recording.cards[..2].iter().all(|card| card.held == 0), "{:?}", run.recording);
    let (alone, first) = probe("cuda:0");
    assert_eq!(run.recording.cards[2], alone.recording.cards[0]);
    let peaks = |record: &RunRecord| {
        let metrics = &record.metrics;
        (metrics.peak_vram_allocated_bytes, metrics.peak_vram_reserved_bytes, metrics.context_bytes)
    };
    assert_eq!(peaks(&third), peaks(&first));
    assert_eq!(third.metrics.phase_marks, first.metrics.phase_marks);
}

fn losing(named: &str) -> Machine {
    Machine::with(Card::new("h100", None, 4).unwrap()).losing(named)
}

#[test]
fn a_card_that_has_fallen_off_the_bus_is_named() {
    let lost = "cuda:2, NVIDIA H100 80GB HBM3, has fallen off the bus";
    for program in [VRAM, VRAM_CUDA] {
        let said = losing("2").refusal(program, &["--device", "cuda:2"]);
        has(&said, &[lost, "restart the machine, or name another card"]);
    }
    let arguments = [&SMALL[..], &["--batch", "16", "--device", "cuda:3"]].concat();
    let (run, _) = losing("2").probe("another", &arguments);
    assert_eq!(run.recording.cards[3].used, 8_673_857_098);
}

/// In the middle of a step, which is a result like any other.
#[test]
fn a_card_that_falls_off_the_bus_ends_the_run_on_it() {
    let machine = losing("2@60");
    let arguments = [&SMALL[..], &["--batch", "16", "--device", "cuda:2"]].concat();
    let (run, record) = machine.probe("run", &arguments);
    assert_eq!(run.recording.lost_cards(), [2]);
    assert!(!record.metrics.stability_pass);
    assert_eq!(record.metrics.reasons(), "runtime_exception, vram_stats_failed");
    has(record.metrics.runtime_exception_msg.as_deref().unwrap(), &["CUDA_ERROR_UNKNOWN"]);
}

/// `vram` finds the card and starts `vram-cuda`, without a search for libraries.
#[test]
fn vram_hands_over_to_the_executable_beside_it() {
    let machine = two();
    let out = machine.path("run");
    let arguments = [&SMALL[..], &["--batch", "16", "--device", "cuda:1"]].concat();
    let probe = ["-q", "probe", "--output-dir", out.to_str().unwrap()];
    let (run, said) = machine.run(VRAM, &[&probe[..], &arguments].concat());
    assert_eq!(run.ending.code(), Some(0), "{said}");
    assert_eq!(run.recording.cards[1].used, 8_673_857_098);
    assert!(run.recording.processes[0].libraries.is_empty());
}

#[test]
fn a_card_that_is_not_there_is_named() {
    let beyond = "there is no cuda:2: this process sees 2 cards, cuda:0 to cuda:1";
    let hidden = "there is no cuda:1: this process sees one card, cuda:0 (CUDA_VISIBLE_DEVICES is \
                  `1`)";
    let none = "the NVIDIA driver shows no card to this process (CUDA_VISIBLE_DEVICES is ``)";
    for program in [VRAM, VRAM_CUDA] {
        has(&two().refusal(program, &["--device", "cuda:2"]), &[beyond, "nvidia-smi -L"]);
        let machine = two().set("CUDA_VISIBLE_DEVICES=1");
        has(&machine.refusal(program, &["--device", "cuda:1"]), &[hidden, "unset CUDA_VISIBLE"]);
        let machine = two().set("CUDA_VISIBLE_DEVICES=");
        has(&machine.refusal(program, &["--device", "cuda"]), &[none, "--device cpu"]);
    }
}

/// The card that is left is the first of the process, and the second of the machine.
#[test]
fn a_card_that_is_left_counts_as_the_first() {
    let machine = two().set("CUDA_VISIBLE_DEVICES=1");
    let arguments = [&SMALL[..], &["--batch", "16", "--device", "cuda:0"]].concat();
    let (run, _) = machine.probe("run", &arguments);
    assert_eq!(run.recording.cards[1].used, 8_673_857_098);
    assert_eq!(run.recording.cards[0].held, 0);
}
