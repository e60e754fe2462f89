//! The VRA-34 table: its lines, and how they are drawn and written.

use std::collections::HashSet;

use vram_artifacts::run_record::RunRecord;
use vram_presets::spec::WorkloadSpec;
use vram_presets::step::StepKind;
use vram_presets::sweep::Published;
use vram_presets::tape::TapeKind;
use vram_source::escape;

use crate::catalogue::Catalogue;
use crate::csv_text::csv_rows;
use crate::study::{Beforehand, Study};
use crate::table::{Column, Style, Table, or_dash, room};
use crate::units::{self, gib};

/// One line of the VRA-34 table.
#[derive(Debug, Clone)]
pub struct Line {
    /// The case.
    pub id: String,
    /// Its workload.
    pub spec: WorkloadSpec,
    /// Which step of the model it takes.
    pub step: StepKind,
    /// The tape of the fused step; none of the plain one.
    pub tape: Option<TapeKind>,
    /// Predicted peak reserved in bytes.
    pub pred_reserved_bytes: Option<u64>,
    /// Measured peak reserved in bytes.
    pub meas_reserved_bytes: Option<u64>,
    /// Measured peak allocated in bytes.
    pub meas_allocated_bytes: Option<u64>,
    /// Predicted against measured reserved, in percent.
    pub err_percent: Option<f64>,
    /// The same from a fit without this row.
    pub loo_err_percent: Option<f64>,
    /// The figures that were published for it.
    pub published: Option<Published>,
    /// What a reader should know.
    pub notes: String,
    /// Where it was measured; none where it was not.
    pub origin: Option<Origin>,
}

/// Where a run was measured, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The device's name.
    pub machine: String,
    /// Which card of that name; none on the CPU.
    pub gpu_uuid: Option<String>,
    /// The directory that its sweep or whoever measured it wrote into.
    pub dir: String,
}

impl Origin {
    fn of(run: &RunRecord) -> Self {
        let parent = run.dir.parent().filter(|dir| !dir.as_os_str().is_empty());
        Self {
            machine: run.machine().to_owned(),
            gpu_uuid: run.env.gpu_uuid.clone(),
            dir: parent.map_or(".".to_owned(), |dir| dir.display().to_string()),
        }
    }
}

impl Study {
    /// The table's lines: fitted rows, then spot checks. What else stayed out is in `excluded`.
    pub fn lines(&self, catalogue: &Catalogue) -> Vec<Line> {
        let fitted = self.rows().map(|(run, row)| {
            let note = catalogue.note(run);
            let beforehand = self.beforehand(run);
            let why_no_loo = row.why_no_loo.as_ref().filter(|_| beforehand.is_none());
            let why_no_loo = why_no_loo.map(ToString::to_string);
            let line = Line {
                pred_reserved_bytes: row.pred_reserved_bytes,
                err_percent: row.err_percent,
                loo_err_percent: row.loo_err_percent,
                ..Line::measured(
                    run,
                    catalogue,
                    &[note.as_deref(), guard_note(run).as_deref(), why_no_loo.as_deref()],
                )
            };
            line.known_beforehand(beforehand)
        });
        let spots = self.spot_checks.iter().map(|(run, what)| {
            let predicted = self.predict(run);
            let line = Line {
                pred_reserved_bytes: predicted,
                err_percent: predicted.zip(run.metrics.peak_vram_reserved_bytes).map(error),
                ..Line::measured(run, catalogue, &[Some(what), Some("spot check, not fitted")])
            };
            line.known_beforehand(predicted.is_none().then(|| self.beforehand(run)).flatten())
        });
        fitted.chain(spots).collect()
    }
}

/// (predicted - measured) / measured, in percent.
fn error((predicted, measured): (u64, u64)) -> f64 {
    100.0 * (predicted as f64 - measured as f64) / measured as f64
}

/// Of the runs that failed those alone are fitted that only met the guard.
fn guard_note(run: &RunRecord) -> Option<String> {
    let m = &run.metrics;
    (!m.stability_pass).then(|| format!("{}: {}", m.status(), m.reasons()))
}

impl Line {
    /// A line for a row that has no measurement.
    pub fn unmeasured(
        id: &str,
        spec: &WorkloadSpec,
        (step, tape): (StepKind, Option<TapeKind>),
        pred_reserved_bytes: Option<u64>,
        notes: String,
    ) -> Self {
        Self {
            id: id.to_owned(),
            spec: *spec,
            step,
            tape,
            pred_reserved_bytes,
            meas_reserved_bytes: None,
            meas_allocated_bytes: None,
            err_percent: None,
            loo_err_percent: None,
            published: None,
            notes,
            origin: None,
        }
    }

    /// The line with what was known beforehand, where that is all there is.
    fn known_beforehand(self, known: Option<Beforehand>) -> Self {
        let Some(known) = known else { return self };
        let before = if self.notes.is_empty() { "" } else { "; " };
        let how = match known {
            Beforehand::Ledger(_) => "the step's ledger",
            Beforehand::DryRun(_) => "a dry run on a virtual card",
        };
        Self {
            pred_reserved_bytes: Some(known.bytes()),
            err_percent: self.meas_reserved_bytes.map(|bytes| error((known.bytes(), bytes))),
            notes: format!("{}{before}predicted by {how}, not by a fit", self.notes),
            ..self
        }
    }

    /// A line with what was measured, and nothing predicted.
    fn measured(run: &RunRecord, catalogue: &Catalogue, notes: &[Option<&str>]) -> Self {
        let notes: Vec<&str> = notes.iter().flatten().copied().collect();
        Self {
            id: run.id.clone(),
            spec: run.spec,
            step: run.metrics.step(),
            tape: run.metrics.tape(),
            pred_reserved_bytes: None,
            meas_reserved_bytes: run.metrics.peak_vram_reserved_bytes,
            meas_allocated_bytes: run.metrics.peak_vram_allocated_bytes,
            err_percent: None,
            loo_err_percent: None,
            published: catalogue.published(run),
            notes: notes.join("; "),
            origin: Some(Origin::of(run)),
        }
    }
}

fn percent(value: f64) -> String {
    units::percent(value, 3)
}

/// The column that stands below the table where it has no room in it.
const NOTES: &str = "notes";

/// The VRA-34 table: predicted and measured peak reserved, error, and the published values. Where
/// a narrow terminal has no room for a column, what it said stands below or is left to the report.
pub fn results_table(lines: &[Line], style: Style) -> String {
    let table = results(lines);
    let (mut text, mut left_out) = table.draw_what_fits(style);
    if left_out.contains(&NOTES) {
        left_out.retain(|head| *head != NOTES);
        for line in lines.iter().filter(|line| !line.notes.is_empty()) {
            let note = format!("{}: {}", line.id, line.notes);
            text += &(room::lines(&escape::line(&note)) + "\n");
        }
    }
    text + &table.announce(&left_out)
}

/// The VRA-34 table, to be drawn.
pub(crate) fn results(lines: &[Line]) -> Table {
    let mut columns = vec![
        Column::text("case", 0, |l: &Line| l.id.clone()),
        Column::text("ring x slot", 1, |l: &Line| {
            format!("{} x {}", l.spec.ant.ring_len, l.spec.ant.slot_dim)
        }),
        Column::number("synth_len", 2, |l: &Line| l.spec.colony.synth_len.to_string()),
        Column::number("B", 0, |l: &Line| l.spec.colony.batch_size.to_string()),
        Column::number("predicted GiB", 0, |l: &Line| or_dash(l.pred_reserved_bytes, gib)),
        Column::number("measured GiB", 0, |l: &Line| or_dash(l.meas_reserved_bytes, gib)),
        Column::number("error %", 0, |l: &Line| or_dash(l.err_percent, percent)),
        Column::number("LOO %", 3, |l: &Line| or_dash(l.loo_err_percent, percent)),
        Column::number("allocated GiB", 4, |l: &Line| or_dash(l.meas_allocated_bytes, gib)),
        Column::text("published GiB", 5, |l: &Line| {
            let show = |p: Published| {
                let error = units::percent(p.err_percent, 2);
                format!("{:.3} ({error} %)", p.meas_reserved_gib)
            };
            or_dash(l.published, show)
        }),
        Column::text(NOTES, 6, |l: &Line| l.notes.clone()),
    ];
    // Where there is one step only, or one tape, it need not be told.
    if lines.iter().any(|line| line.tape == Some(TapeKind::Rows)) {
        columns.insert(1, Column::text("tape", 1, |l: &Line| or_dash(l.tape, |t| t.to_string())));
    }
    if lines.iter().any(|line| line.step != StepKind::Fused) {
        columns.insert(1, Column::text("step", 1, |l: &Line| l.step.to_string()));
    }
    // Of several devices, cards or directories a row says which is its own.
    type Of = fn(&Origin) -> Option<&str>;
    let origins: [(&str, Of); 3] = [
        ("from", |origin| Some(&origin.dir)),
        ("card", |origin| origin.gpu_uuid.as_deref()),
        ("device", |origin| Some(&origin.machine)),
    ];
    for (head, of) in origins {
        let seen = lines.iter().filter_map(|line| of(line.origin.as_ref()?));
        if seen.collect::<HashSet<_>>().len() > 1 {
            let cell = move |l: &Line| or_dash(l.origin.as_ref().and_then(of), str::to_owned);
            columns.insert(1, Column::text(head, 2, cell));
        }
    }
    Table::of(&columns, lines).also_as("--format json or csv")
}

/// What stayed out of the fit, a line each, for a terminal.
pub fn excluded_lines(study: &Study) -> String {
    let lines = study
        .excluded
        .iter()
        .map(|(id, reason)| escape::line(&format!("excluded {id}: {reason}")).into_owned() + "\n");
    lines.collect()
}

/// The table's numbers as CSV, sizes in bytes.
pub fn results_csv(lines: &[Line]) -> String {
    let heads = [
        "id",
        "workload_id",
        "ring_len",
        "slot_dim",
        "synth_len",
        "batch_size",
        "pred_reserved_bytes",
        "meas_reserved_bytes",
        "meas_allocated_bytes",
        "err_percent",
        "loo_err_percent",
        "published_meas_reserved_gib",
        "published_err_percent",
        "notes",
        "step",
        "tape",
        "machine",
        "gpu_uuid",
        "dir",
    ];
    let rows = lines.iter().map(|line| {
        let (ant, colony) = (&line.spec.ant, &line.spec.colony);
        vec![
            line.id.clone(),
            line.spec.workload_id(),
            ant.ring_len.to_string(),
            ant.slot_dim.to_string(),
            colony.synth_len.to_string(),
            colony.batch_size.to_string(),
            cell(line.pred_reserved_bytes),
            cell(line.meas_reserved_bytes),
            cell(line.meas_allocated_bytes),
            cell(line.err_percent),
            cell(line.loo_err_percent),
            cell(line.published.map(|p| p.meas_reserved_gib)),
            cell(line.published.map(|p| p.err_percent)),
            line.notes.clone(),
            line.step.to_string(),
            cell(line.tape),
            cell(line.origin.as_ref().map(|origin| &origin.machine)),
            cell(line.origin.as_ref().and_then(|origin| origin.gpu_uuid.as_ref())),
            cell(line.origin.as_ref().map(|origin| &origin.dir)),
        ]
    });
    csv_rows(std::iter::once(heads.map(str::to_owned).into()).chain(rows))
}

fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}
