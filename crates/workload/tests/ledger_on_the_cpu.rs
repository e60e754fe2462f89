//! The ledger against the host's meter, phase by phase. The meter counts the whole process, so this
//! test is alone in its own.

#[path = "support/phases.rs"]
mod phases;

use phases::{measure, shape, watching};
use vram_metrics::host::{HostAllocator, HostMeter};
use vram_presets::spec::Precision;
use vram_presets::tape::TapeKind;
use vram_workload::device_kind::DeviceKind;
use vram_workload::ledger::Ledger;
use vram_workload::threads::start_threads;

#[global_allocator]
static ALLOC: HostAllocator = HostAllocator;

/// With the feature candle's tensors hold more beside their values than the ledger says of them.
#[test]
#[cfg_attr(feature = "cuda", ignore = "is of `vram`, which is built without the feature")]
fn on_the_cpu_every_phase_is_within_half_a_thousandth() {
    let meter = HostMeter::new().unwrap();
    start_threads();
    for precision in [Precision::Fp32, Precision::Fp16, Precision::Bf16] {
        for (samples, sizes) in [
            (0, (2048, 256, 16, 4, 1)),
            (0, (512, 576, 24, 2, 16)),
            (0, (4096, 384, 1, 1, 1)),
            (3, (2048, 256, 16, 4, 1)),
        ] {
            for &tape in TapeKind::ALL {
                let shape = watching(samples, shape(sizes, precision)).with_tape(tape);
                let ledger = Ledger::new(&shape, DeviceKind::Cpu).unwrap();
                for (phase, measured) in measure(&candle_core::Device::Cpu, &meter, &shape) {
                    let expected = ledger.at(phase).unwrap();
                    let off = measured.abs_diff(expected) as f64;
                    assert!(
                        off <= 5e-4 * expected as f64,
                        "{precision} {sizes:?} {tape} {phase}: measured {measured}, ledger {expected}"
                    );
                }
            }
        }
    }
}
