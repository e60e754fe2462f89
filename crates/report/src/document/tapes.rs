//! The report's section on workloads that were measured with both tapes of the fused step.

use std::collections::{HashMap, HashSet};

use vram_artifacts::run_record::RunRecord;
use vram_metrics::verdict::VRAM_GUARD_RATIO;
use vram_presets::name::short;
use vram_presets::tape::TapeKind;
use vram_workload::device_kind::DeviceKind;

use super::contents::{Part, Section};
use super::pairs::Pairs;
use super::prose::Prose;
use crate::catalogue::Catalogue;
use crate::memory_check::DeviceMemory;
use crate::predictor::Forecast;
use crate::runs::Runs;
use crate::study::Beforehand;
use crate::table::{Style, Table, or_dash};
use crate::units::gib;
use crate::workload::{Mode, Workload};

/// Memories of cards, in GiB, for which the largest batch is told.
const CARDS: [u64; 4] = [16, 24, 80, 141];

/// Each workload's run with the full tape beside the one with rows, and what fits a card with either;
/// nothing where no workload has both.
pub(super) fn both(runs: &Runs, catalogue: &Catalogue) -> Option<Section> {
    let mut with_rows: HashMap<_, &RunRecord> = HashMap::new();
    for run in of(runs, TapeKind::Rows) {
        with_rows.entry(setting(run)).or_insert(run);
    }
    let pairs: Vec<(&RunRecord, &RunRecord)> = of(runs, TapeKind::Full)
        .filter_map(|full| Some((full, *with_rows.get(&setting(full))?)))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let says = Prose::new(
        "One workload with each tape of the fused step: *full* keeps one whole ring state per token for \
         backward, *rows* the five rows of it that the token read. Every result is the same to the bit. \
         Allocated in bytes; predicted is reserved by the step's ledger.",
    );
    let largest = Prose::new(format!(
        "The largest batch within a guard of {VRAM_GUARD_RATIO} on cards of these sizes, by the ledger \
         and the model of the driver's pool (`vram capacity`):"
    ));
    let figure = Pairs::allocated([("one", "full"), ("other", "rows")], &pairs)
        .figure("Peak allocated of one workload with each tape");
    let parts = [
        Some(Part::Prose(says)),
        figure.map(Part::Figure),
        Some(Part::Table(measured(&pairs, runs), Style::Compact)),
        Some(Part::Prose(largest)),
        Some(Part::Table(capacities(&pairs, catalogue), Style::Compact)),
    ];
    Some(Section { title: "Full tape and rows", parts: parts.into_iter().flatten().collect() })
}

/// This project's runs with one tape.
fn of(runs: &Runs, tape: TapeKind) -> impl Iterator<Item = &RunRecord> {
    let ours = runs.measured().filter(|run| run.metrics.artifact_version.is_some());
    ours.filter(move |run| run.metrics.tape() == Some(tape))
}

/// What two runs share that differ in their tape alone.
fn setting(run: &RunRecord) -> (&str, &str, &str) {
    (&run.metrics.probe_id, &run.metrics.device, run.machine())
}

fn measured(pairs: &[(&RunRecord, &RunRecord)], runs: &Runs) -> Table {
    let header = [
        "full case",
        "rows case",
        "full peak allocated",
        "rows peak allocated",
        "full / rows",
        "full predicted GiB",
        "full reserved GiB",
        "rows predicted GiB",
        "rows reserved GiB",
        "full step s",
        "rows step s",
        "full / rows time",
    ];
    let ratio = |over: Option<f64>, under: Option<f64>| {
        or_dash(over.zip(under), |(over, under)| format!("{:.3}", over / under))
    };
    let allocated = |run: &RunRecord| run.metrics.peak_vram_allocated_bytes;
    let bytes = |run: &RunRecord| allocated(run).map(|bytes| bytes as f64);
    let reserved = |run: &RunRecord| or_dash(run.metrics.peak_vram_reserved_bytes, gib);
    let predicted =
        |run: &RunRecord| or_dash(Beforehand::of(run, runs), |known| gib(known.bytes()));
    let seconds = |run: &RunRecord| run.metrics.median_step_time_s;
    let shown = |run: &RunRecord| or_dash(seconds(run), |s| format!("{s:.4}"));
    let rows = pairs.iter().map(|(full, rows)| {
        [
            full.id.clone(),
            rows.id.clone(),
            or_dash(allocated(full), |bytes| bytes.to_string()),
            or_dash(allocated(rows), |bytes| bytes.to_string()),
            ratio(bytes(full), bytes(rows)),
            predicted(full),
            reserved(full),
            predicted(rows),
            reserved(rows),
            shown(full),
            shown(rows),
            ratio(seconds(full), seconds(rows)),
        ]
    });
    Table::new(header).numbers_from(2).with_rows(rows)
}

/// Per workload, whatever its batch, and per tape: the largest batch on each card.
fn capacities(pairs: &[(&RunRecord, &RunRecord)], catalogue: &Catalogue) -> Table {
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for (run, _) in pairs {
        let m = &run.metrics;
        let Ok(spec) = run.spec.with_batch(1) else { continue };
        if !seen.insert((spec.workload_id(), m.out_dim, m.amp)) {
            continue;
        }
        let context = catalogue.context(run);
        for &tape in TapeKind::ALL {
            let (amp, step) = (Some(m.amp == 1), m.step());
            let mode = Mode { amp, out_dim: m.out_dim, step, tape: Some(tape) };
            let workload = Workload::new(spec, mode).ok();
            let forecast = workload.and_then(|w| Forecast::new(&w, DeviceKind::Cuda).ok()?);
            let [a, b, c, d] = CARDS.map(|size| {
                let limit = DeviceMemory::unused(size << 30, context).limit(VRAM_GUARD_RATIO);
                or_dash(forecast.as_ref(), |forecast| forecast.most(limit.bytes).to_string())
            });
            let (ant, colony) = (short(&run.ant).to_owned(), short(&run.colony).to_owned());
            rows.push([ant, colony, m.precision.clone(), tape.to_string(), a, b, c, d]);
        }
    }
    let [a, b, c, d] = CARDS.map(|size| format!("{size} GiB"));
    let header = ["ant", "colony", "precision", "tape", &a, &b, &c, &d];
    Table::new(header).numbers_from(4).with_rows(rows)
}
