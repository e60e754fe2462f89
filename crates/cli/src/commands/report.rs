//! `vram report`: a report on measured runs.

use std::path::PathBuf;

use super::Reply;
use crate::report;
use crate::study::Runs;

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
    let runs = Runs::load(std::slice::from_ref(&args.dir))?;
    let out = args.out_dir.as_ref().unwrap_or(&args.dir);
    let written = report::write(&runs, &super::library()?, out)?;
    let lines = written.iter().map(|path| format!("{}\n", path.display()));
    Ok(Reply::done(lines.collect::<String>()))
}
