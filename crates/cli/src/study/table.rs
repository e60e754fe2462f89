use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use vram_fit::Estimate;
use vram_presets::{Published, WorkloadSpec};

use super::{Catalogue, Study};
use crate::artifacts::RunRecord;

/// One line of the VRA-34 table.
#[derive(Debug, Clone)]
pub struct Line {
    /// The case.
    pub id: String,
    /// Its workload.
    pub spec: WorkloadSpec,
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
    /// The table's lines: fitted rows, spot checks, then what stayed out with its measurement.
    pub fn lines(&self, catalogue: &Catalogue) -> Vec<Line> {
        let fitted = self.rows().map(|(run, row)| {
            let note = catalogue.note(run);
            let notes = [note.as_deref(), guard_note(run), row.why_no_loo];
            Line {
                pred_reserved_bytes: row.pred_reserved_bytes,
                err_percent: row.err_percent,
                loo_err_percent: row.loo_err_percent,
                ..Line::measured(run, catalogue, &notes)
            }
        });
        let spots = self.spot_checks.iter().map(|(run, what)| {
            let predicted = self.predict(run);
            let measured = run.metrics.peak_vram_reserved_bytes;
            let error = |(p, m): (u64, u64)| 100.0 * (p as f64 - m as f64) / m as f64;
            Line {
                pred_reserved_bytes: predicted,
                err_percent: predicted.zip(measured).map(error),
                ..Line::measured(run, catalogue, &[Some(what), Some("spot check, not fitted")])
            }
        });
        fitted.chain(spots).collect()
    }
}

fn guard_note(run: &RunRecord) -> Option<&'static str> {
    (!run.metrics.stability_pass).then_some("FAIL: vram_guard")
}

impl Line {
    /// A line for a row that has no measurement.
    pub fn unmeasured(
        id: &str,
        spec: &WorkloadSpec,
        pred_reserved_bytes: Option<u64>,
        notes: String,
    ) -> Self {
        Self {
            id: id.to_owned(),
            spec: spec.clone(),
            pred_reserved_bytes,
            meas_reserved_bytes: None,
            meas_allocated_bytes: None,
            err_percent: None,
            loo_err_percent: None,
            published: None,
            notes,
        }
    }

    /// A line with what was measured, and nothing predicted.
    fn measured(run: &RunRecord, catalogue: &Catalogue, notes: &[Option<&str>]) -> Self {
        let notes: Vec<&str> = notes.iter().flatten().copied().collect();
        Self {
            id: run.id.clone(),
            spec: run.spec.clone(),
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

/// The VRA-34 table: predicted and measured peak reserved, error, and the published values.
pub fn results_table(lines: &[Line], style: Style) -> String {
    let header = [
        "case",
        "ring x slot",
        "synth_len",
        "B",
        "predicted GiB",
        "measured GiB",
        "error %",
        "LOO %",
        "allocated GiB",
        "published GiB",
        "notes",
    ];
    let rows = lines.iter().map(|line| {
        let (ant, colony) = (&line.spec.ant, &line.spec.colony);
        vec![
            line.id.clone(),
            format!("{} x {}", ant.ring_len, ant.slot_dim),
            colony.synth_len.to_string(),
            colony.batch_size.to_string(),
            or_dash(line.pred_reserved_bytes, gib),
            or_dash(line.meas_reserved_bytes, gib),
            or_dash(line.err_percent, percent),
            or_dash(line.loo_err_percent, percent),
            or_dash(line.meas_allocated_bytes, gib),
            or_dash(line.published, |p| {
                format!("{:.3} ({:+.2} %)", p.meas_reserved_gib, p.err_percent)
            }),
            line.notes.clone(),
        ]
    });
    draw(&header, rows, 3..=8, style)
}

/// The fitted constants per tier, beside the published ones.
pub fn constants_table(study: &Study, catalogue: &Catalogue, style: Style) -> String {
    let names = &study.fit.model.terms;
    let mut header = vec!["tier".to_owned(), "points".to_owned()];
    header.extend(names.iter().map(|name| format!("k_{name} [95 %]")));
    header.extend(
        ["base MiB", "overhead MiB", "published k_ring", "published base / overhead MiB"]
            .map(str::to_owned),
    );
    let rows = study.fit.tiers.iter().zip(&study.tiers).map(|(fitted, tier)| {
        let published = catalogue.constants(&tier.key);
        let points = match (&fitted.borrowed_from, fitted.anchored) {
            (Some(_), _) => "1 (anchored, slope borrowed)".to_owned(),
            (None, true) => "1 (anchored)".to_owned(),
            _ => fitted.points.to_string(),
        };
        let mut row = vec![tier.name.clone(), points];
        row.extend(fitted.coefficients.iter().map(interval));
        row.push(or_dash(fitted.base.value, mib));
        row.push(mib(fitted.overhead_bytes));
        row.push(or_dash(published, |p| format!("{:.4}", p.coefficients[0])));
        row.push(or_dash(published, |p| {
            format!("{} / {}", mib(p.base_bytes as f64), mib(p.overhead_bytes as f64))
        }));
        row
    });
    let last = header.len() - 1;
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    draw(&header, rows, 2..=last, style)
}

fn interval(estimate: &Estimate) -> String {
    let Some(value) = estimate.value else {
        return format!("- ({})", estimate.why_null.unwrap_or("unknown"));
    };
    match estimate.ci95 {
        Some([low, high]) => format!("{value:.4} [{low:.4}, {high:.4}]"),
        None => format!("{value:.4}"),
    }
}

fn draw(
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    numbers: std::ops::RangeInclusive<usize>,
    style: Style,
) -> String {
    let mut table = Table::new();
    match style {
        Style::Terminal => table
            .load_style(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic),
        Style::Markdown => {
            table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled)
        }
    };
    table.set_header(header).add_rows(rows);
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
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
        ]);
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}
