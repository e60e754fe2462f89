//! The phases of a step as bars of what is held, by kind of buffer.

use std::collections::BTreeSet;

use vram_metrics::phase::Phase;
use vram_workload::buffer_spec::BufferKind;
use vram_workload::ledger::Ledger;

use crate::chart::bars::{self, Bar, Bars, Group, Part};
use crate::chart::drawing::Drawing;
use crate::chart::file;
use crate::chart::legend::{Legend, Shape};
use crate::phases::{Expected, PhaseBytes, RunPhases, by_kind};
use crate::units::{exactly, fixed, grouped};

/// Of a drawing that stands alone, in pixels.
const WIDTH: f64 = 640.0;
/// What a process held before its step is of no kind.
const BEFORE: &str = "before";
/// What was measured where nothing says of which kinds it is.
const UNKNOWN: &str = "unknown";

/// What is allocated at each phase by the ledger, as SVG.
pub fn draw(ledger: &Ledger, title: &str) -> String {
    let at_peak = by_kind(ledger, ledger.peak_phase()).unwrap_or_default();
    let peak = ledger.peak().unwrap_or(0);
    let legend = at_peak.iter().fold(Legend::default(), |legend, (kind, bytes)| {
        let part = fixed(100.0 * *bytes as f64 / peak as f64, 2);
        legend.with(
            Shape::Block,
            class(*kind),
            format!("{kind}: {} bytes ({part} % of the peak)", grouped(*bytes)),
        )
    });
    // Nothing is alive at the start.
    let phases = Phase::ALL[1..].iter().map(|&phase| {
        let kinds = by_kind(ledger, phase).unwrap_or_default();
        let value = ledger.at(phase);
        let total = value.map(|bytes| format!("allocated {}", exactly(bytes)));
        let says = [phase.to_string()].into_iter().chain(total).chain(kinds.iter().map(kind_line));
        let says = says.collect();
        group(phase, Bar { parts: parts(&kinds), ticks: Vec::new(), value, says })
    });
    let groups = phases.collect();
    let what = "allocated by the ledger";
    let bars = Bars { width: WIDTH, title: title.to_owned(), what, end: peak, groups };
    file::svg(&legend, &[bars::draw(&bars)])
}

/// A run's phases: what the ledger says by kind, and on it what was measured; where there is no
/// ledger, what was measured alone. None where no phase was marked.
pub(crate) fn of_run(run: &RunPhases<'_>) -> Option<Drawing> {
    let m = run.phases.iter().map(|phase| {
        let PhaseBytes { measured, expected } = phase;
        let expected = expected.as_ref().map_or(0, |expected| expected.total);
        measured.allocated_bytes.max(measured.reserved_bytes).max(expected)
    });
    let bars = Bars {
        width: bars::WIDTH,
        title: run.run.id.clone(),
        what: "held",
        end: m.max()?,
        groups: run.phases.iter().map(|phase| of_phase(&run.run.id, phase)).collect(),
    };
    Some(bars::draw(&bars))
}

/// What the colours of these runs stand for.
pub(crate) fn legend(runs: &[RunPhases<'_>]) -> Legend {
    let phases = || runs.iter().flat_map(|run| &run.phases);
    let expected = || phases().filter_map(|phase| phase.expected.as_ref());
    let kinds: BTreeSet<BufferKind> =
        expected().flat_map(|expected| &expected.by_kind).map(|(kind, _)| *kind).collect();
    let legend = kinds.into_iter().fold(Legend::default(), |legend, kind| {
        legend.with(Shape::Block, class(kind), kind.name())
    });
    let legend = match expected().any(|expected| expected.before > 0) {
        true => legend.with(Shape::Block, BEFORE, "held before the step"),
        false => legend,
    };
    let legend = match phases().any(|phase| phase.expected.is_none()) {
        true => legend.with(Shape::Block, UNKNOWN, "measured, of a step without a ledger"),
        false => legend,
    };
    legend.with(Shape::Tick, "allocated", "allocated, measured").with(
        Shape::Tick,
        "reserved",
        "reserved, measured",
    )
}

fn of_phase(run: &str, phase: &PhaseBytes) -> Group {
    let PhaseBytes { measured, expected } = phase;
    let (allocated, reserved) = (measured.allocated_bytes, measured.reserved_bytes);
    let mut says = vec![
        format!("{run}, {}", measured.phase),
        format!("allocated, measured: {}", exactly(allocated)),
        format!("reserved, measured: {}", exactly(reserved)),
    ];
    let parts = match expected {
        Some(Expected { by_kind, before, total }) => {
            let off = i128::from(allocated) - i128::from(*total);
            says.push(format!("ledger: {}", exactly(*total)));
            says.push(format!("measured - ledger: {off} bytes"));
            says.extend(by_kind.iter().map(kind_line));
            let held = part(BEFORE, *before);
            if *before > 0 {
                says.push(format!("held before the step: {}", exactly(*before)));
            }
            [held].into_iter().chain(parts(by_kind)).collect()
        }
        None => vec![part(UNKNOWN, allocated)],
    };
    let ticks = vec![part("allocated", allocated), part("reserved", reserved)];
    group(measured.phase, Bar { parts, ticks, value: Some(allocated), says })
}

fn group(phase: Phase, bar: Bar) -> Group {
    Group { name: phase.name().replace('_', " "), bars: vec![bar] }
}

fn parts(kinds: &[(BufferKind, u64)]) -> Vec<Part> {
    kinds.iter().map(|&(kind, bytes)| Part { class: class(kind).into(), bytes }).collect()
}

fn part(class: &'static str, bytes: u64) -> Part {
    Part { class: class.into(), bytes }
}

fn kind_line((kind, bytes): &(BufferKind, u64)) -> String {
    format!("{kind}: {}", exactly(*bytes))
}

/// The class of a kind's colours.
fn class(kind: BufferKind) -> String {
    kind.name().replace(' ', "-")
}
