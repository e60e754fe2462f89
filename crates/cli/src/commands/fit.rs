//! `vram fit`: constants and errors of measured runs.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use vram_artifacts::atomic::write_atomically;
use vram_artifacts::calibration;
use vram_console::exit::Exit;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::waiting::{load_runs, with_progress};
use vram_report::capacity_model::capacity_model;
use vram_report::catalogue::Catalogue;
use vram_report::constants::constants_table;
use vram_report::results::{excluded_lines, results_csv, results_table};
use vram_report::study::Study;
use vram_report::study_json::study_json;
use vram_report::table::Style;
use vram_report::terms::Terms;

/// `vram fit`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  vram fit runs/20260101T000000Z-cpu-vra34
  vram fit --terms ring,state,token --format json runs/a runs/b
  vram fit --out calibration.toml runs/a
  vram fit --format capacity-model-v1 runs/a > capacity_model.json")]
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
    /// For the original's pickers: the model file of VRA-35, of one precision, step and card.
    CapacityModelV1,
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
    let library = library()?;
    let catalogue = Catalogue::new(&library).with_sweeps_of(&library, &runs);
    // What refuses a format comes before anything is written.
    let text = match args.format {
        Format::Table => table(&study, &catalogue),
        Format::Json => format!("{:#}\n", study_json(&study, &catalogue)),
        Format::Csv => results_csv(&study.lines(&catalogue)),
        Format::CapacityModelV1 => format!("{:#}\n", capacity_model(&runs)?),
    };
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
    Ok(Reply { text, exit })
}

fn table(study: &Study, catalogue: &Catalogue) -> String {
    let results = results_table(&study.lines(catalogue), Style::Terminal);
    let constants = constants_table(study, catalogue, Style::Terminal);
    format!("{results}\n{constants}{}", excluded_lines(study))
}
