//! The ledger against the host's meter, phase by phase. The meter counts the whole process, so this
//! test is alone in its own.

#[path = "support/phases.rs"]
mod phases;

use phases::{measure, shape};
use vram_metrics::{HostAllocator, HostMeter};
use vram_presets::Precision;
use vram_workload::{DeviceKind, Host, Ledger};

#[global_allocator]
static ALLOC: HostAllocator = HostAllocator;

#[test]
fn on_the_cpu_every_phase_is_within_half_a_thousandth() {
    let meter = HostMeter::new().unwrap();
    let host = Host::open();
    for precision in [Precision::Fp32, Precision::Fp16, Precision::Bf16] {
        for sizes in [(2048, 256, 16, 4, 1), (512, 576, 24, 2, 16), (4096, 384, 1, 1, 1)] {
            let shape = shape(sizes, precision);
            let ledger = Ledger::new(&shape, DeviceKind::Cpu).unwrap();
            for (phase, measured) in measure(&host, &meter, &shape) {
                let expected = ledger.at(phase).unwrap();
                let off = measured.abs_diff(expected) as f64;
                assert!(
                    off <= 5e-4 * expected as f64,
                    "{precision} {sizes:?} {phase}: measured {measured}, ledger {expected}"
                );
            }
        }
    }
}
