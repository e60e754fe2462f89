//! `vram workload-id`: the id of a workload.

use std::path::PathBuf;

use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_presets::library::workload_from_file;
use vram_presets::spec::WorkloadSpec;

use crate::flags::Overrides;

/// `vram workload-id`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vram workload-id workload.json
  vram workload-id --ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16")]
pub struct Args {
    /// A whole workload: TOML, or the original harness's JSON
    #[arg(conflicts_with_all = ["ant", "colony"], required_unless_present_any = ["ant", "colony"])]
    file: Option<PathBuf>,
    /// The model's side: preset, file or inline JSON
    #[arg(long, requires = "colony")]
    ant: Option<String>,
    /// The data's side: preset, file or inline JSON
    #[arg(long, requires = "ant")]
    colony: Option<String>,
    #[command(flatten)]
    overrides: Overrides,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let spec = match (&args.file, &args.ant, &args.colony) {
        (Some(file), ..) => workload_from_file(file)?,
        (None, Some(ant), Some(colony)) => {
            let library = library()?;
            WorkloadSpec::new(library.ant(ant)?.spec, library.colony(colony)?.spec)
        }
        // clap asks for one of the two.
        (None, ..) => miette::bail!("give a FILE, or --ant and --colony"),
    };
    let spec = args.overrides.apply(spec)?;
    tracing::debug!("hashed: {}", spec.canonical_json());
    let _span = tracing::trace_span!("hash").entered();
    Ok(Reply::done(format!("{}\n", spec.workload_id())))
}
