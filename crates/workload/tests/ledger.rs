//! The ledger against a card's meter, to the byte, and against its own arithmetic.

#[path = "support/phases.rs"]
mod phases;

use phases::{Sizes, shape};
use vram_metrics::Phase;
use vram_presets::Precision;
use vram_workload::{DeviceKind, Ledger};

#[cfg(feature = "cuda")]
#[test]
fn on_a_card_every_phase_is_right_to_the_byte() {
    use phases::measure;
    use vram_metrics::{Driver, PoolMeter};
    use vram_workload::Cuda;

    let card = Driver::open().unwrap().card(0).unwrap();
    let meter = PoolMeter::new(&card).unwrap();
    let cuda = Cuda::new(0).unwrap();
    let mut compared = 0;
    for precision in [Precision::Fp32, Precision::Fp16, Precision::Bf16] {
        for out_dim in [1, 16] {
            for (ring_len, slot_dim, synth_len, batch) in [
                (2048, 256, 32, 4),
                (37, 71, 5, 3),
                (1, 8, 1, 1),
                (3, 8, 7, 2),
                (999, 33, 13, 17),
                (8192, 576, 6, 1),
                (16384, 768, 3, 1),
            ] {
                let shape = shape((ring_len, slot_dim, synth_len, batch, out_dim), precision);
                let ledger = Ledger::new(&shape, DeviceKind::Cuda).unwrap();
                for (phase, measured) in measure(&cuda, &meter, &shape) {
                    let expected = ledger.at(phase).unwrap();
                    assert_eq!(measured, expected, "{precision} {shape:?} {phase}");
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 3 * 2 * 7 * 6);
}

#[test]
fn the_peak_of_dp1_is_the_one_that_was_measured() {
    // docs/results/h200/vra34/DP1_smallxreal_B16.
    let dp1 = shape((2048, 256, 256, 16, 1), Precision::Fp16);
    let ledger = Ledger::new(&dp1, DeviceKind::Cuda).unwrap();
    assert_eq!(ledger.peak(), Some(8_673_822_890));
    assert_eq!(ledger.peak_phase(), Phase::BackwardPeak);
    assert_eq!(ledger.at(Phase::ForwardEnd), Some(8_638_793_322));
    assert_eq!(ledger.at(Phase::Optimizer), Some(9_596_570));
    assert_eq!(ledger.peak_with_batch(16), ledger.peak());
}

/// A million million tokens, or samples, are one buffer more or less to a ledger: it neither counts
/// them nor makes room for them.
#[test]
fn a_step_of_any_size_has_its_ledger_at_once() {
    let most = 1 << 40;
    for (synth_len, batch) in [(most, 1), (1, most)] {
        let shape = shape((1, 8, synth_len, batch, 1), Precision::Fp32);
        let ledger = Ledger::new(&shape, DeviceKind::Cuda).unwrap();
        // The tape alone: 2^40 states of 8 elements.
        assert!(ledger.peak().unwrap() > most * 32);
    }
}

/// The derivative against a difference: a step of one per mille in each knob.
#[test]
fn elasticities_are_slopes() {
    use vram_workload::Knob;

    let base: Sizes = (20_000, 3_000, 1_000, 1_000, 100);
    let peak = |sizes| {
        let ledger = Ledger::new(&shape(sizes, Precision::Fp32), DeviceKind::Cuda).unwrap();
        ledger.peak().unwrap() as f64
    };
    let grown = |knob: Knob| {
        let (r, d, t, b, e) = base;
        match knob {
            Knob::RingLen => (r + 20, d, t, b, e),
            Knob::SlotDim => (r, d + 3, t, b, e),
            Knob::SynthLen => (r, d, t + 1, b, e),
            Knob::Batch => (r, d, t, b + 1, e),
            Knob::OutDim => (r, d, t, b, e + 1),
        }
    };
    let ledger = Ledger::new(&shape(base, Precision::Fp32), DeviceKind::Cuda).unwrap();
    for knob in Knob::ALL {
        let step: f64 = if knob == Knob::OutDim { 1.01 } else { 1.001 };
        let slope = (peak(grown(knob)) / peak(base)).ln() / step.ln();
        let exact = ledger.elasticity(knob).unwrap();
        assert!((slope - exact).abs() < 1e-3, "{}: {exact} against {slope}", knob.name());
    }
}
