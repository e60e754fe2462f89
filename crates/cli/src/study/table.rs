use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use vram_fit::{Estimate, RowFit, TierConstants, TierFit};
use vram_presets::{Published, StepKind, WorkloadSpec};

use super::{Catalogue, Study, Tier, reserved_by_ledger};
use crate::artifacts::RunRecord;
use crate::escape;

/// One line of the VRA-34 table.
#[derive(Debug, Clone)]
pub struct Line {
    /// The case.
    pub id: String,
    /// Its workload.
    pub spec: WorkloadSpec,
    /// Which step of the model it takes.
    pub step: StepKind,
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
}

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For a terminal; in a narrow one cells wrap, in a pipe they do not.
    Terminal,
    /// For a report.
    Markdown,
}

impl Study {
    /// The table's lines: fitted rows, then spot checks. What else stayed out is in `excluded`.
    pub fn lines(&self, catalogue: &Catalogue) -> Vec<Line> {
        let fitted = self.rows().map(|(run, row)| {
            let note = catalogue.note(run);
            let by_ledger = self.only_by_ledger(run, row);
            let why_no_loo = row.why_no_loo.as_ref().filter(|_| by_ledger.is_none());
            let why_no_loo = why_no_loo.map(ToString::to_string);
            let line = Line {
                pred_reserved_bytes: row.pred_reserved_bytes,
                err_percent: row.err_percent,
                loo_err_percent: row.loo_err_percent,
                ..Line::measured(
                    run,
                    catalogue,
                    &[note.as_deref(), guard_note(run), why_no_loo.as_deref()],
                )
            };
            line.by_ledger(by_ledger)
        });
        let spots = self.spot_checks.iter().map(|(run, what)| {
            let predicted = self.predict(run);
            let line = Line {
                pred_reserved_bytes: predicted,
                err_percent: predicted.zip(run.metrics.peak_vram_reserved_bytes).map(error),
                ..Line::measured(run, catalogue, &[Some(what), Some("spot check, not fitted")])
            };
            line.by_ledger(predicted.is_none().then(|| reserved_by_ledger(run)).flatten())
        });
        fitted.chain(spots).collect()
    }

    /// The ledger's prediction of a row that the fit has nothing to say of: a tier's only one,
    /// without constants. What a fit gives for it is its own measurement.
    fn only_by_ledger(&self, run: &RunRecord, row: &RowFit) -> Option<u64> {
        let tier = self.fit.tiers.iter().find(|tier| tier.tier == row.tier)?;
        let unknown = tier.coefficients.iter().any(|c| c.value.is_none());
        (tier.anchored && unknown).then(|| reserved_by_ledger(run)).flatten()
    }
}

/// (predicted - measured) / measured, in percent.
fn error((predicted, measured): (u64, u64)) -> f64 {
    100.0 * (predicted as f64 - measured as f64) / measured as f64
}

fn guard_note(run: &RunRecord) -> Option<&'static str> {
    (!run.metrics.stability_pass).then_some("FAIL: vram_guard")
}

impl Line {
    /// A line for a row that has no measurement.
    pub fn unmeasured(
        id: &str,
        spec: &WorkloadSpec,
        step: StepKind,
        pred_reserved_bytes: Option<u64>,
        notes: String,
    ) -> Self {
        Self {
            id: id.to_owned(),
            spec: *spec,
            step,
            pred_reserved_bytes,
            meas_reserved_bytes: None,
            meas_allocated_bytes: None,
            err_percent: None,
            loo_err_percent: None,
            published: None,
            notes,
        }
    }

    /// The line with what the step's ledger predicts, where that is all there is.
    fn by_ledger(self, predicted: Option<u64>) -> Self {
        if predicted.is_none() {
            return self;
        }
        let before = if self.notes.is_empty() { "" } else { "; " };
        Self {
            pred_reserved_bytes: predicted,
            err_percent: predicted.zip(self.meas_reserved_bytes).map(error),
            notes: format!("{}{before}predicted by the step's ledger, not by a fit", self.notes),
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
            pred_reserved_bytes: None,
            meas_reserved_bytes: run.metrics.peak_vram_reserved_bytes,
            meas_allocated_bytes: run.metrics.peak_vram_allocated_bytes,
            err_percent: None,
            loo_err_percent: None,
            published: catalogue.published(run),
            notes: notes.join("; "),
        }
    }
}

/// Bytes as GiB, for reading.
pub fn gib(bytes: u64) -> String {
    format!("{:.3}", bytes as f64 / (1u64 << 30) as f64)
}

fn mib(bytes: f64) -> String {
    format!("{:.1}", bytes / (1u64 << 20) as f64)
}

fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn percent(value: f64) -> String {
    format!("{value:+.3}")
}

/// The VRA-34 table: predicted and measured peak reserved, error, and the published values. Where
/// a narrow terminal has no room for a column, what it said stands below or is left to the report.
pub fn results_table(lines: &[Line], style: Style) -> String {
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
            let show =
                |p: Published| format!("{:.3} ({:+.2} %)", p.meas_reserved_gib, p.err_percent);
            or_dash(l.published, show)
        }),
        Column::text("notes", 6, |l: &Line| l.notes.clone()),
    ];
    // Where there is one step only, it need not be told.
    if lines.iter().any(|line| line.step != StepKind::Fused) {
        columns.insert(1, Column::text("step", 1, |l: &Line| l.step.to_string()));
    }
    let (mut text, shown) = draw(&columns, lines, style);
    if shown < columns.len() {
        let notes = lines.iter().filter(|l| !l.notes.is_empty());
        notes.for_each(|l| text += &(escape::line(&format!("{}: {}", l.id, l.notes)) + "\n"));
    }
    text
}

/// The fitted constants per tier, each before its standard error, beside the published ones.
pub fn constants_table(study: &Study, catalogue: &Catalogue, style: Style) -> String {
    let mut columns = vec![
        Column::text("tier", 0, |r: &TierRow<'_>| r.tier.name.clone()),
        Column::text("points", 1, |r: &TierRow<'_>| points(r.fitted)),
    ];
    for (j, name) in study.fit.model.terms.iter().enumerate() {
        let head = format!("k_{name} [95 %]");
        columns.push(Column::number(&head, 0, move |r: &TierRow<'_>| {
            interval(&r.fitted.coefficients[j])
        }));
        columns.push(Column::number("std err", 4, move |r: &TierRow<'_>| {
            or_dash(r.fitted.coefficients[j].std_err, |e| format!("{e:.5}"))
        }));
    }
    columns.extend([
        Column::number("base MiB", 0, |r: &TierRow<'_>| or_dash(r.fitted.base.value, mib)),
        Column::number("std err", 4, |r: &TierRow<'_>| or_dash(r.fitted.base.std_err, mib)),
        Column::number("overhead MiB", 0, |r: &TierRow<'_>| mib(r.fitted.overhead_bytes)),
        Column::number("published k_ring", 2, |r: &TierRow<'_>| {
            or_dash(r.published, |p| format!("{:.4}", p.coefficients[0]))
        }),
        Column::number("published base / overhead MiB", 3, |r: &TierRow<'_>| {
            let sizes = |p: &TierConstants| (p.base_bytes as f64, p.overhead_bytes as f64);
            or_dash(r.published.map(sizes), |(b, o)| format!("{} / {}", mib(b), mib(o)))
        }),
    ]);
    let rows: Vec<TierRow<'_>> = study
        .fit
        .tiers
        .iter()
        .zip(&study.tiers)
        .map(|(fitted, tier)| TierRow { fitted, tier, published: catalogue.constants(&tier.key) })
        .collect();
    draw(&columns, &rows, style).0
}

/// A tier's constants beside the published ones.
struct TierRow<'a> {
    fitted: &'a TierFit,
    tier: &'a Tier,
    published: Option<&'a TierConstants>,
}

fn points(fitted: &TierFit) -> String {
    match (&fitted.borrowed_from, fitted.anchored) {
        (Some(_), _) => "1 (anchored, slope borrowed)".to_owned(),
        (None, true) => "1 (anchored)".to_owned(),
        _ => fitted.points.to_string(),
    }
}

fn interval(estimate: &Estimate) -> String {
    let Some(value) = estimate.value else {
        let why = estimate.why_null.as_ref().map_or("unknown".to_owned(), ToString::to_string);
        return format!("- ({why})");
    };
    match estimate.ci95 {
        Some([low, high]) => format!("{value:.4} [{low:.4}, {high:.4}]"),
        None => format!("{value:.4}"),
    }
}

/// A column of a table of `T`s.
struct Column<'a, T> {
    head: String,
    alignment: CellAlignment,
    /// Columns of the highest rank are the first to go where there is no room; 0 stays.
    rank: u8,
    cell: Box<dyn Fn(&T) -> String + 'a>,
}

impl<'a, T> Column<'a, T> {
    fn text(head: &str, rank: u8, cell: impl Fn(&T) -> String + 'a) -> Self {
        Self { head: head.to_owned(), alignment: CellAlignment::Left, rank, cell: Box::new(cell) }
    }

    fn number(head: &str, rank: u8, cell: impl Fn(&T) -> String + 'a) -> Self {
        Self { alignment: CellAlignment::Right, ..Self::text(head, rank, cell) }
    }
}

/// Draws as many columns as there is room for; returns how many that were.
fn draw<T>(columns: &[Column<'_, T>], rows: &[T], style: Style) -> (String, usize) {
    let mut shown: Vec<&Column<'_, T>> = columns.iter().collect();
    loop {
        let (text, room) = draw_all(&shown, rows, style);
        let width = text.lines().map(|l| l.chars().count()).max().unwrap_or(0);
        let last = shown.iter().map(|c| c.rank).max().unwrap_or(0);
        if last == 0 || room.is_none_or(|room| width <= room) {
            return (text, shown.len());
        }
        shown.retain(|c| c.rank < last);
    }
}

/// The table, and the terminal's width where it is for one.
fn draw_all<T>(columns: &[&Column<'_, T>], rows: &[T], style: Style) -> (String, Option<usize>) {
    let mut table = Table::new();
    let room = match style {
        Style::Terminal => {
            table.load_style(UTF8_FULL_CONDENSED);
            table.width().map(usize::from)
        }
        Style::Markdown => {
            table.load_style(ASCII_MARKDOWN);
            None
        }
    };
    table.set_content_arrangement(ContentArrangement::Disabled);
    let show = |cell: String| match style {
        Style::Terminal => escape::line(&cell).into_owned(),
        Style::Markdown => escape::markdown(&cell),
    };
    table.set_header(columns.iter().map(|c| c.head.clone()));
    table.add_rows(
        rows.iter().map(|row| columns.iter().map(|c| show((c.cell)(row))).collect::<Vec<_>>()),
    );
    for (i, column) in columns.iter().enumerate() {
        if let Some(drawn) = table.column_mut(i) {
            drawn.set_cell_alignment(column.alignment);
        }
    }
    let lines = table.to_string();
    (lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect(), room)
}

/// The table's numbers as CSV, sizes in bytes.
pub fn results_csv(lines: &[Line]) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = csv.write_record([
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
    ]);
    for line in lines {
        let (ant, colony) = (&line.spec.ant, &line.spec.colony);
        let _ = csv.write_record([
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
        ]);
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}
