//! What is held at each phase of a run's last step: measured, and by the step's ledger.

use std::collections::HashMap;

use vram_artifacts::run_record::RunRecord;
use vram_metrics::phase::{Phase, PhaseMark};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_workload::buffer_spec::BufferKind;
use vram_workload::ledger::Ledger;

use crate::run_ledger::ledger;
use crate::runs::Runs;

/// A run's phases.
#[derive(Debug)]
pub(crate) struct RunPhases<'a> {
    pub run: &'a RunRecord,
    /// In the order in which they came.
    pub phases: Vec<PhaseBytes>,
}

/// A phase: what was measured, and what the ledger says.
#[derive(Debug)]
pub(crate) struct PhaseBytes {
    pub measured: PhaseMark,
    pub expected: Option<Expected>,
}

/// Bytes that the ledger says are alive at a phase.
#[derive(Debug)]
pub(crate) struct Expected {
    pub by_kind: Vec<(BufferKind, u64)>,
    /// What the process held before the step, on the CPU.
    pub before: u64,
    /// All of these.
    pub total: u64,
}

/// The phases of each measured run, in their order.
pub(crate) fn of(runs: &Runs) -> Vec<RunPhases<'_>> {
    let mut ledgers = HashMap::new();
    let of_run = |run| {
        let ledger = ledgers.entry(Counted::of(run)).or_insert_with(|| ledger(run));
        RunPhases::new(run, ledger.as_ref())
    };
    runs.measured().map(of_run).collect()
}

/// What decides a run's ledger. A probe's id names its sizes, and neither its step nor its tape.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Counted<'a> {
    probe_id: &'a str,
    step: StepKind,
    tape: Option<TapeKind>,
    device: &'a str,
    is_ours: bool,
}

impl<'a> Counted<'a> {
    fn of(run: &'a RunRecord) -> Self {
        let m = &run.metrics;
        Self {
            probe_id: &m.probe_id,
            step: m.step(),
            tape: m.tape(),
            device: &m.device,
            is_ours: m.artifact_version.is_some(),
        }
    }
}

impl<'a> RunPhases<'a> {
    fn new(run: &'a RunRecord, ledger: Option<&Ledger>) -> Self {
        let marks = &run.metrics.phase_marks;
        let start = marks.iter().find(|mark| mark.phase == Phase::Start);
        // On the CPU the process holds more than the step, from the start on.
        let before = start.map_or(0, |mark| mark.allocated_bytes);
        let phase = |mark: &PhaseMark| PhaseBytes {
            measured: *mark,
            expected: ledger.and_then(|ledger| expected(ledger, mark.phase, before)),
        };
        Self { run, phases: marks.iter().map(phase).collect() }
    }
}

/// None beyond 64 bits.
fn expected(ledger: &Ledger, phase: Phase, before: u64) -> Option<Expected> {
    Some(Expected {
        by_kind: by_kind(ledger, phase)?,
        before,
        total: ledger.at(phase)?.checked_add(before)?,
    })
}

/// Bytes of each kind that is alive at a phase; none beyond 64 bits.
pub(crate) fn by_kind(ledger: &Ledger, phase: Phase) -> Option<Vec<(BufferKind, u64)>> {
    let kinds = BufferKind::ALL.iter();
    let kinds = kinds.map(|&kind| Some((kind, ledger.kind_at(kind, phase)?)));
    let kinds: Option<Vec<_>> = kinds.collect();
    Some(kinds?.into_iter().filter(|(_, bytes)| *bytes > 0).collect())
}
