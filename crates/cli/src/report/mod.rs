//! What a sweep came to, as files: everything in them is computed from the run directories.

mod bytes;
mod markdown;
mod plot;
mod steps;

use std::path::{Path, PathBuf};

use miette::miette;
use vram_presets::Library;

use crate::Exit;
use crate::artifacts::{ArtifactError, write_atomically};
use crate::commands::fit::{calibration, is_whole, refuse_another};
use crate::study::{Catalogue, Runs, Study, Terms, results_csv};

/// Names of a report's files.
pub mod names {
    /// The report.
    pub const REPORT: &str = "report.md";
    /// The table's numbers.
    pub const TABLE: &str = "table.csv";
    /// The published model's constants.
    pub const CALIBRATION: &str = "calibration.toml";
    /// Predicted lines, measured points and residuals.
    pub const PLOT: &str = "peaks.svg";
}

/// What became of a report.
#[derive(Debug)]
pub struct Written {
    /// Its files.
    pub paths: Vec<PathBuf>,
    /// [`Exit::Failed`] where nothing in it can be used to predict because every run was left out or
    /// contradicts the model.
    pub exit: Exit,
}

/// Writes the report on `runs` into `out`. A calibration without a tier is not written; that one from
/// earlier stays there is said.
///
/// # Errors
///
/// Runs that cannot be fitted, files that cannot be written, or a file where the calibration goes
/// that is none; then nothing is written.
pub fn write(runs: &Runs, library: &Library, out: &Path) -> miette::Result<Written> {
    let constants = out.join(names::CALIBRATION);
    refuse_another(&constants)?;
    let catalogue = Catalogue::new(library);
    let ring = Study::new(runs, Terms::Ring)?;
    let pooled = Study::new(runs, Terms::RingStateToken)?;
    let plot = plot::draw(&ring).map_err(|e| miette!("cannot draw {}: {e}", names::PLOT))?;
    std::fs::create_dir_all(out)
        .map_err(|source| ArtifactError::Write { path: out.to_owned(), source })?;
    let mut files = vec![
        (names::REPORT, markdown::report(runs, &ring, &pooled, &catalogue)),
        (names::TABLE, results_csv(&ring.lines(&catalogue))),
    ];
    if ring.predicts() {
        files.push((names::CALIBRATION, calibration(&ring, runs)?));
    } else if constants.exists() {
        tracing::warn!(
            "{} is from earlier and stays as it is: no tier of this report has constants",
            constants.display()
        );
    }
    files.push((names::PLOT, plot));
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        write_atomically(&path, text.as_bytes())?;
        paths.push(path);
    }
    let useful = is_whole(&ring) || ring.predicts();
    Ok(Written { paths, exit: if useful { Exit::Done } else { Exit::Failed } })
}
