//! What the step's own ledger says of a run, measured or not.

use vram_artifacts::run_record::RunRecord;
use vram_workload::device_kind::DeviceKind;
use vram_workload::ledger::Ledger;
use vram_workload::shape::Shape;

/// The ledger of a run of this project's fused step. The plain step has none yet, and the original
/// harness's step is another.
pub fn ledger(run: &RunRecord) -> Option<Ledger> {
    let m = &run.metrics;
    m.artifact_version.as_ref()?;
    let shape = Shape::new(&run.spec, m.out_dim, m.amp == 1).ok()?.with_tape(m.tape()?);
    let kind: DeviceKind = m.device.parse().ok()?;
    Ledger::new(&shape, kind).ok()
}

/// Peak reserved as the ledger predicts it, in bytes: on a card in whole granules of its pool.
pub fn reserved_by_ledger(run: &RunRecord) -> Option<u64> {
    // None for a granule of no size, and beyond 64 bits.
    ledger(run)?.peak()?.checked_next_multiple_of(run.metrics.pool_granule_bytes.unwrap_or(1))
}
