//! What a sweep came to, as files: everything in them is computed from the run directories.

mod bytes;
mod contents;
mod facts;
mod html;
mod markdown;
pub mod names;
mod pairs;
mod prose;
mod rows;
mod sections;
mod steps;
mod tapes;

use std::path::{Path, PathBuf};

use vram_artifacts::atomic::write_atomically;
use vram_artifacts::calibration;
use vram_artifacts::error::ArtifactError;

use crate::catalogue::Catalogue;
use crate::chart::{file, tier};
use crate::error::ReportError;
use crate::peaks;
use crate::results::results_csv;
use crate::runs::Runs;
use crate::study::Study;
use crate::terms::Terms;

/// What became of a report.
#[derive(Debug)]
pub struct Written {
    /// Its files.
    pub paths: Vec<PathBuf>,
    /// Whether something in it predicts; false where every run was left out or contradicts the model.
    pub is_useful: bool,
}

/// Runs, fitted by each of the two models.
#[derive(Debug)]
pub struct Studies {
    /// The published model: a line per tier.
    pub ring: Study,
    /// Tape, whole states and activations over all tiers.
    pub pooled: Study,
}

impl Studies {
    /// Fits the runs that may be fitted.
    ///
    /// # Errors
    ///
    /// Runs that cannot be fitted.
    pub fn new(runs: &Runs) -> Result<Self, ReportError> {
        let ring = Study::new(runs, Terms::Ring)?;
        Ok(Self { ring, pooled: Study::new(runs, Terms::RingStateToken)? })
    }
}

/// Writes the report on `runs` and what they were fitted to into `out`. Where no tier has constants no
/// calibration is written; one that lies there from earlier stays, and a warning is logged.
///
/// # Errors
///
/// Files that cannot be written, or another file where the calibration goes; then nothing is
/// written.
#[tracing::instrument(level = "trace", name = "write report", skip_all)]
pub fn write(
    runs: &Runs,
    studies: &Studies,
    catalogue: &Catalogue,
    out: &Path,
) -> Result<Written, ReportError> {
    let constants = out.join(names::CALIBRATION);
    calibration::refuse_other_file(&constants)?;
    let ring = &studies.ring;
    let lines = ring.lines(catalogue);
    let tiers = peaks::of(ring, catalogue, &lines);
    let contents = sections::contents(runs, [ring, &studies.pooled], catalogue, &lines, &tiers);
    std::fs::create_dir_all(out)
        .map_err(|source| ArtifactError::Write { path: out.to_owned(), source })?;
    let mut files = vec![
        (names::REPORT, markdown::text(&contents)),
        (names::PAGE, html::page(&contents)),
        (names::TABLE, results_csv(&lines)),
    ];
    if ring.predicts() {
        files.push((names::CALIBRATION, ring.calibration_file(runs.machine())?));
    } else if constants.exists() {
        tracing::warn!(
            "{} is from earlier and stays as it is: no tier of this report has constants",
            constants.display()
        );
    }
    files.push((names::PLOT, file::svg(&tier::legend(&tiers), &sections::panels(&tiers))));
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        write_atomically(&path, text.as_bytes())?;
        paths.push(path);
    }
    Ok(Written { paths, is_useful: ring.is_whole() || ring.predicts() })
}
