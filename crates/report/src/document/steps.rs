//! The report's section on workloads that were measured with both steps.

use std::collections::HashMap;

use vram_artifacts::run_record::RunRecord;
use vram_presets::step::StepKind;

use super::contents::{Part, Section};
use super::pairs::Pairs;
use super::prose::Prose;
use crate::catalogue::Catalogue;
use crate::runs::Runs;
use crate::study::Beforehand;
use crate::table::{Style, Table, or_dash};
use crate::units::gib;

/// Each workload's fused run beside its plain one; nothing where no workload has both.
pub(super) fn both(runs: &Runs, catalogue: &Catalogue) -> Option<Section> {
    let mut plain: HashMap<_, &RunRecord> = HashMap::new();
    for run in of(runs, StepKind::Plain) {
        plain.entry(setting(run)).or_insert(run);
    }
    let pairs = of(runs, StepKind::Fused).filter_map(|f| Some((f, *plain.get(&setting(f))?)));
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() {
        return None;
    }
    let header = [
        "fused case",
        "plain case",
        "fused peak allocated",
        "plain peak allocated",
        "plain / fused",
        "fused / ring",
        "plain / ring",
        "fused predicted GiB",
        "fused reserved GiB",
        "plain predicted GiB",
        "plain reserved GiB",
        "published reserved GiB",
        "fused step s",
        "plain step s",
        "plain / fused time",
    ];
    let says = Prose::new(
        "One workload with each step of the model: *fused* is the hand-written forward and backward, \
         *plain* candle's own operations and its autograd, which has no ledger yet. Allocated in bytes; \
         `/ ring` is peak allocated over the ring term; predicted is reserved as it was known before \
         anything was measured: by the fused step's ledger, and by a dry run of the plain step on a \
         virtual card.",
    );
    let rows = pairs.iter().map(|pair| row(*pair, runs, catalogue));
    let table = Table::new(header).numbers_from(2).with_rows(rows);
    let figure = Pairs::allocated([("one", "fused"), ("other", "plain")], &pairs)
        .figure("Peak allocated of one workload with each step");
    let parts = [Some(Part::Prose(says)), figure.map(Part::Figure)];
    let parts = parts.into_iter().flatten().chain([Part::Table(table, Style::Compact)]).collect();
    Some(Section { title: "Fused and plain", parts })
}

/// This project's runs of one step; the original harness's step is neither.
fn of(runs: &Runs, step: StepKind) -> impl Iterator<Item = &RunRecord> {
    let ours = runs.measured().filter(|run| run.metrics.artifact_version.is_some());
    ours.filter(move |run| run.metrics.step() == step)
}

/// What two runs share that differ in their step alone.
fn setting(run: &RunRecord) -> (&str, &str, &str) {
    (&run.metrics.probe_id, &run.metrics.device, run.machine())
}

fn row(
    (fused, plain): (&RunRecord, &RunRecord),
    runs: &Runs,
    catalogue: &Catalogue,
) -> [String; 15] {
    let ratio = |over: Option<f64>, under: Option<f64>| {
        or_dash(over.zip(under), |(over, under)| format!("{:.3}", over / under))
    };
    let allocated = |run: &RunRecord| run.metrics.peak_vram_allocated_bytes;
    let bytes = |run: &RunRecord| allocated(run).map(|bytes| bytes as f64);
    let ring = fused.spec.ring_buf_bytes().ok().map(|bytes| bytes as f64);
    let reserved = |run: &RunRecord| or_dash(run.metrics.peak_vram_reserved_bytes, gib);
    let predicted =
        |run: &RunRecord| or_dash(Beforehand::of(run, runs), |known| gib(known.bytes()));
    let seconds = |run: &RunRecord| run.metrics.median_step_time_s;
    let shown = |run: &RunRecord| or_dash(seconds(run), |s| format!("{s:.4}"));
    [
        fused.id.clone(),
        plain.id.clone(),
        or_dash(allocated(fused), |bytes| bytes.to_string()),
        or_dash(allocated(plain), |bytes| bytes.to_string()),
        ratio(bytes(plain), bytes(fused)),
        ratio(bytes(fused), ring),
        ratio(bytes(plain), ring),
        predicted(fused),
        reserved(fused),
        predicted(plain),
        reserved(plain),
        or_dash(catalogue.published(fused), |p| format!("{:.3}", p.meas_reserved_gib)),
        shown(fused),
        shown(plain),
        ratio(seconds(plain), seconds(fused)),
    ]
}
