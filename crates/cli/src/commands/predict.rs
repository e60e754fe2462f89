//! `vram predict`: one workload's budget.

use miette::miette;
use serde_json::{Value, json};
use vram_console::exit::Exit;
use vram_console::list_format::ListFormat;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_presets::step::StepKind;
use vram_report::csv_text::csv_of;
use vram_report::error::ReportError;
use vram_report::predictor::{Budget, LoadedCalibration};
use vram_report::units::gib;
use vram_source::escape;
use vram_sweep::counted::CountError;

use crate::counted;
use crate::flags::{CalibrationFlag, WorkloadFlags};

/// `vram predict`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Allocated comes from the step's own ledger and is exact on a card. Reserved is rounded up to the
granule of the card's memory pool, which the calibration holds. A calibration without one, such as
rtx4070tisuper_published, is answered from by its own constants. No card is needed.

--step plain has no ledger yet. A calibration that was fitted on plain runs answers; without one,
vram-cuda, where it lies beside vram, runs its probe once on a virtual card (`vram dry-run`), which
counts every allocation and computes nothing.

Examples:
  vram predict --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16
  vram predict --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16 --tape rows
  vram predict --ant - --colony od1_canon_real --format json < my_ant.toml
  vram predict --ant od1_canon_real --colony od1_canon_real --batch 2 --precision fp16 \\
    --calibration rtx4070tisuper_published --format json"
)]
pub struct Args {
    #[command(flatten)]
    workload: WorkloadFlags,
    #[command(flatten)]
    calibration: CalibrationFlag,
    /// How to print the prediction
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let library = library()?;
    let workload = args.workload.resolve(&library)?;
    let calibration = LoadedCalibration::load(&library, args.calibration.named())?;
    let budget = match calibration.predictor(&workload) {
        Ok(predictor) => predictor.budget(workload.spec.colony.batch_size),
        Err(error @ ReportError::NoTier { .. }) if workload.step == StepKind::Plain => {
            match counted::run_of(&workload)? {
                Ok(run) => Budget::counted(&run, calibration.known_context()),
                Err(CountError::Interrupted) => {
                    return Ok(Reply { text: String::new(), exit: Exit::Interrupted });
                }
                Err(why) => return Err(counted::unanswered(&error, &why)),
            }
        }
        Err(error) => return Err(error.into()),
    };
    let budget = budget.ok_or_else(|| miette!("the prediction does not fit 64 bits"))?;
    let probe_id = workload.probe_id();
    let mut json = json!(budget);
    json["probe_id"] = probe_id.clone().into();
    json["step"] = json!(workload.step);
    json["tape"] = json!(workload.tape);
    Ok(Reply::done(match args.format {
        ListFormat::Json => format!("{json:#}\n"),
        ListFormat::Csv => csv(&json),
        ListFormat::Table => lines(&probe_id, &budget),
    }))
}

fn csv(prediction: &Value) -> String {
    let mut record = prediction.clone();
    let bounds = &prediction["reserved_bounds"];
    record["reserved_least_bytes"] = bounds[0].clone();
    record["reserved_most_bytes"] = bounds[1].clone();
    let columns = [
        "probe_id",
        "step",
        "tape",
        "allocated_bytes",
        "reserved_bytes",
        "reserved_least_bytes",
        "reserved_most_bytes",
        "card_bytes",
        "context_bytes",
        "context_assumed",
        "source",
    ];
    csv_of(&columns, &[record])
}

fn lines(probe_id: &str, budget: &Budget) -> String {
    let size = |bytes: u64| format!("{} GiB ({bytes} bytes)", gib(bytes));
    let mut text = format!("probe      {probe_id}\nallocated  {}\n", size(budget.allocated_bytes));
    text += &format!("reserved   {}\n", size(budget.reserved_bytes));
    if let Some([least, most]) = budget.reserved_bounds {
        text += &format!("  between  {least} and {most} bytes\n");
    }
    match budget.card_bytes {
        Some(bytes) => text += &format!("card       {}, the context included\n", size(bytes)),
        None => text += "card       beyond 64 bits\n",
    }
    text += &format!("  context  {}\n", budget.context);
    text + &format!("source     {}\n", escape::line(&budget.source))
}
