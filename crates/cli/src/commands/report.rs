//! `vram report`: a report on measured runs.

use std::path::PathBuf;

use super::Reply;
use crate::study::Runs;
use crate::{report, terminal};

/// `vram report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Writes report.md, table.csv, calibration.toml and peaks.svg.

Example:
  vram report runs/20260101T000000Z-cpu-vra34")]
pub struct Args {
    /// A sweep's directory, or any directory that holds runs
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Write the report here instead of into DIR
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let written = terminal::with_progress(|bar| {
        let runs = Runs::load(std::slice::from_ref(&args.dir), bar)?;
        bar.set_message("runs read; reporting on them");
        let out = args.out_dir.as_ref().unwrap_or(&args.dir);
        report::write(&runs, &super::library()?, out)
    })?;
    let lines = written.paths.iter().map(|path| format!("{}\n", path.display()));
    Ok(Reply { text: lines.collect(), exit: written.exit })
}
