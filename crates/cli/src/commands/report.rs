//! `vram report`: a report on measured runs.

use std::path::PathBuf;

use vram_console::exit::Exit;
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::waiting::{load_runs, with_progress};
use vram_report::catalogue::Catalogue;
use vram_report::document::{self, Studies};

/// `vram report`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Writes report.md, report.html (the same for a browser, in one file), table.csv, calibration.toml
and peaks.svg.

Example:
  vram report runs/20260101T000000Z-cpu-vra34"
)]
pub struct Args {
    /// A sweep's directory, or any directory that holds runs
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Write the report here instead of into DIR
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let written = with_progress(|bar| {
        let runs = load_runs(std::slice::from_ref(&args.dir), bar)?;
        bar.set_message("runs read; reporting on them");
        let out = args.out_dir.as_ref().unwrap_or(&args.dir);
        let studies = Studies::new(&runs)?;
        let library = library()?;
        let catalogue = Catalogue::new(&library).with_sweeps_of(&library, &runs);
        miette::Result::<_>::Ok(document::write(&runs, &studies, &catalogue, out)?)
    })?;
    let lines = written.paths.iter().map(|path| format!("{}\n", path.display()));
    let exit = if written.is_useful { Exit::Done } else { Exit::Failed };
    Ok(Reply { text: lines.collect(), exit })
}
