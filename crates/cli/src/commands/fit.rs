//! `vram fit`: constants and errors of measured runs.

use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use miette::miette;
use serde_json::json;
use vram_fit::{Calibration, FitError, RowFit};
use vram_source::{ReadError, read_text};

use super::Reply;
use crate::Exit;
use crate::artifacts::{RunRecord, write_atomically};
use crate::escape;
use crate::study::{
    Catalogue, Runs, Study, Style, Terms, constants_table, reserved_by_ledger, results_csv,
    results_table,
};
use crate::terminal;

/// `vram fit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vram fit runs/20260101T000000Z-cpu-vra34
  vram fit --terms ring,state,token --format json runs/a runs/b
  vram fit --out calibration.toml runs/a")]
pub struct Args {
    /// Run directories, or directories that hold them (this project's or the original harness's)
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// What peaks are explained by
    #[arg(long, value_enum, default_value_t)]
    pub terms: Terms,
    /// How the fit is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the constants to this file too: a new one, or in place of a calibration
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// How a fit is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading.
    #[default]
    Table,
    /// For programs: constants, rows and what stayed out.
    Json,
    /// For spreadsheets: the rows.
    Csv,
}

/// Refuses to write over a file that is no calibration. One whose constants predict nothing is
/// one, too.
pub(crate) fn refuse_another(path: &Path) -> miette::Result<()> {
    let parsed = match read_text(path) {
        Err(ReadError::System(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.ok().map(|text| Calibration::from_toml(&text)),
    };
    match parsed {
        None | Some(Err(FitError::Parse(_) | FitError::Format { .. })) => Err(miette!(
            help = "name another file, or move this one away; nothing was touched",
            "{} is there and is no calibration",
            path.display()
        )),
        Some(_) => Ok(()),
    }
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    if let Some(path) = &args.out {
        refuse_another(path)?;
    }
    let (runs, study) = terminal::with_progress(|bar| {
        let runs = Runs::load(&args.dirs, bar)?;
        bar.set_message("runs read; fitting them");
        let study = Study::new(&runs, args.terms)?;
        miette::Result::<_>::Ok((runs, study))
    })?;
    let catalogue = Catalogue::new(&super::library()?);
    let mut exit = if is_whole(&study) { Exit::Done } else { Exit::Failed };
    match &args.out {
        Some(path) if study.predicts() => {
            write_atomically(path, calibration(&study, &runs)?.as_bytes())?;
        }
        Some(path) => {
            tracing::error!("{} is not written: no tier has constants", path.display());
            exit = Exit::Failed;
        }
        None => {}
    }
    let text = match args.format {
        Format::Table => table(&study, &catalogue),
        Format::Json => format!("{:#}\n", to_json(&study)),
        Format::Csv => results_csv(&study.lines(&catalogue)),
    };
    Ok(Reply { text, exit })
}

/// Whether every tier has possible constants and there is a run to fit at all. Says what is not so.
pub(crate) fn is_whole(study: &Study) -> bool {
    let mut whole = true;
    for (name, why) in study.contradictions() {
        tracing::error!("tier {name}: {why}; it has no constants");
        whole = false;
    }
    if study.fitted.is_empty() {
        tracing::error!(
            "nothing is fitted: every run is left out ({} of them)",
            study.excluded.len()
        );
        whole = false;
    }
    whole
}

/// The constants as a file, with where they come from.
pub(crate) fn calibration(study: &Study, runs: &Runs) -> miette::Result<String> {
    let machine = runs.records.first().map_or("no machine", RunRecord::machine);
    let ids: Vec<&str> = study.fitted.iter().map(|r| r.id.as_str()).collect();
    let source = format!("vram fit on {machine}: {}", ids.join(", "));
    study.calibration(&source).to_toml().map_err(|e| miette!("{e}"))
}

fn table(study: &Study, catalogue: &Catalogue) -> String {
    let results = results_table(&study.lines(catalogue), Style::Terminal);
    let constants = constants_table(study, catalogue, Style::Terminal);
    let mut text = format!("{results}\n{constants}");
    for (id, reason) in &study.excluded {
        text += &escape::line(&format!("excluded {id}: {reason}"));
        text.push('\n');
    }
    text
}

/// Constants, rows and exclusions, sizes in bytes.
pub(crate) fn to_json(study: &Study) -> serde_json::Value {
    let tiers = study.fit.tiers.iter().zip(&study.tiers).map(|(fitted, tier)| {
        let ring = &fitted.coefficients[0];
        let names = &study.fit.model.terms;
        let coefficients: serde_json::Map<_, _> = names
            .iter()
            .zip(&fitted.coefficients)
            .map(|(name, c)| {
                let estimate = json!({
                    "value": c.value, "std_err": c.std_err, "ci95": c.ci95,
                    "why_null": c.why_null.as_ref().map(ToString::to_string),
                });
                (name.clone(), estimate)
            })
            .collect();
        json!({
            "name": tier.name,
            "ring_len": tier.key.ring_len,
            "slot_dim": tier.key.slot_dim,
            "precision": tier.key.precision,
            "amp": tier.key.amp,
            "step": tier.key.step,
            "device": tier.key.device,
            "points": fitted.points,
            "anchored": fitted.anchored,
            "borrowed_from": fitted.borrowed_from,
            "k_ring": ring.value,
            "k_ring_ci95": ring.ci95,
            "coefficients": coefficients,
            "base_alloc_bytes": fitted.base.value.map(|b| b.round() as i64),
            "base_alloc_std_err": fitted.base.std_err,
            "overhead_bytes": fitted.overhead_bytes.round() as i64,
        })
    });
    let excluded = study.excluded.iter();
    json!({
        "terms": study.fit.model.terms,
        "tiers": tiers.collect::<Vec<_>>(),
        "rows": study.rows().map(|(run, row)| row_json(run, row)).collect::<Vec<_>>(),
        "excluded": excluded
            .map(|(id, reason)| json!({ "id": id, "reason": reason.to_string() }))
            .collect::<Vec<_>>(),
    })
}

fn row_json(run: &RunRecord, row: &RowFit) -> serde_json::Value {
    json!({
        "id": row.id,
        "workload_id": run.metrics.workload_id,
        "probe_id": run.metrics.probe_id,
        "step": run.metrics.step(),
        "pred_allocated_bytes": row.pred_allocated_bytes,
        "pred_reserved_bytes": row.pred_reserved_bytes,
        "ledger_reserved_bytes": reserved_by_ledger(run),
        "meas_reserved_bytes": row.meas_reserved_bytes,
        "meas_allocated_bytes": row.meas_allocated_bytes,
        "err_percent": row.err_percent,
        "loo_err_percent": row.loo_err_percent,
        "why_no_loo": row.why_no_loo.as_ref().map(ToString::to_string),
    })
}
