//! `vram fit`: constants and errors of measured runs.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::json;
use vram_artifacts::atomic::write_atomically;
use vram_artifacts::calibration;
use vram_artifacts::run_record::RunRecord;
use vram_console::exit::Exit;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::waiting::{load_runs, with_progress};
use vram_fit::model::RowFit;
use vram_report::catalogue::Catalogue;
use vram_report::constants::constants_table;
use vram_report::results::{excluded_lines, results_csv, results_table};
use vram_report::run_ledger::reserved_by_ledger;
use vram_report::study::Study;
use vram_report::table::Style;
use vram_report::terms::Terms;

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
    #[arg(long, default_value = Terms::default().name(), value_parser = terms())]
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

/// One of the terms, each with what it says.
fn terms() -> impl TypedValueParser<Value = Terms> {
    let help = |terms: &Terms| match terms {
        Terms::Ring => {
            "The published model: one slope per tier on `B*synth_len*ring_len*slot_dim` elements of \
             the run's precision"
        }
        Terms::RingStateToken => {
            "Tape, whole ring states and activations per token, one coefficient each over all tiers"
        }
    };
    let value = |terms: &Terms| PossibleValue::new(terms.name()).help(help(terms));
    PossibleValuesParser::new(Terms::ALL.iter().map(value)).try_map(|name| name.parse::<Terms>())
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    if let Some(path) = &args.out {
        calibration::refuse_other_file(path)?;
    }
    let (runs, study) = with_progress(|bar| {
        let runs = load_runs(&args.dirs, bar)?;
        bar.set_message("runs read; fitting them");
        let study = Study::new(&runs, args.terms)?;
        miette::Result::<_>::Ok((runs, study))
    })?;
    let catalogue = Catalogue::new(&library()?);
    let mut exit = if study.is_whole() { Exit::Done } else { Exit::Failed };
    match &args.out {
        Some(path) if study.predicts() => {
            write_atomically(path, study.calibration_file(runs.machine())?.as_bytes())?;
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

fn table(study: &Study, catalogue: &Catalogue) -> String {
    let results = results_table(&study.lines(catalogue), Style::Terminal);
    let constants = constants_table(study, catalogue, Style::Terminal);
    format!("{results}\n{constants}{}", excluded_lines(study))
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
            "tape": tier.key.tape,
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
        "tape": run.metrics.tape(),
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
