//! `vram workload-id`: the id of a workload.

use std::path::PathBuf;

use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_presets::library::workload_from_file;
use vram_presets::spec::{Precision, WorkloadSpec};

use crate::flags::{Overrides, at_least_1};
use crate::stdin_preset::PresetPair;

/// `vram workload-id`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  vram workload-id workload.json
  vram workload-id --ant - --colony od1_canon_real < ant.toml
  vram workload-id --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16")]
pub struct Args {
    /// A whole workload: TOML, or the original harness's JSON
    #[arg(conflicts_with_all = ["ant", "colony"], required_unless_present_any = ["ant", "colony"])]
    file: Option<PathBuf>,
    /// The model's side: preset, file, inline JSON, or - for standard input
    #[arg(long, requires = "colony")]
    ant: Option<String>,
    /// The data's side: preset, file, inline JSON, or - for standard input
    #[arg(long, requires = "ant")]
    colony: Option<String>,
    /// Samples per step, in place of the colony's batch_size
    #[arg(long, value_name = "N", value_parser = at_least_1, allow_negative_numbers = true)]
    batch: Option<u64>,
    /// Precision in place of the ant's: fp64, fp32, fp16, bf16 or amp
    ///
    /// Of fp64 and amp there are ids, and no step that runs.
    #[arg(long, value_name = "P")]
    precision: Option<Precision>,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let spec = match (&args.file, &args.ant, &args.colony) {
        (Some(file), ..) => workload_from_file(file)?,
        (None, Some(ant), Some(colony)) => {
            let library = library()?;
            let given = PresetPair::given(ant, colony)?;
            WorkloadSpec::new(library.ant(&given.ant)?.spec, library.colony(&given.colony)?.spec)
        }
        // clap asks for one of the two.
        (None, ..) => miette::bail!("give a FILE, or --ant and --colony"),
    };
    let spec = Overrides { batch: args.batch, precision: args.precision }.apply(spec)?;
    tracing::debug!("hashed: {}", spec.canonical_json());
    let _span = tracing::trace_span!("hash").entered();
    Ok(Reply::done(format!("{}\n", spec.workload_id())))
}
