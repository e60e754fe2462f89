//! `plan.json`: the rows of a sweep as tasks, each of which can be done by itself, wherever its run
//! directory is.
//!
//! Beside it lie the executables (`bin/`) and the presets (`presets/`) that its rows name: a task
//! needs nothing else of where the sweep was planned.

use std::collections::HashSet;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use vram_presets::spec::Precision;
use vram_presets::step::StepKind;
use vram_presets::sweep::SweepRow;
use vram_presets::tape::TapeKind;
use vram_source::file::{LIMIT_BYTES, read_text};

use crate::atomic::write_atomically;
use crate::error::ArtifactError;
use crate::names;
use crate::run_record::words;
use crate::version::ARTIFACT_VERSION;

/// `plan.json`: the rows of a sweep as tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// See [`ARTIFACT_VERSION`].
    pub artifact_version: String,
    /// The sweep's name.
    pub sweep: String,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Whether rows run that are predicted not to fit.
    pub no_preflight: bool,
    /// A row's process is ended after this many seconds.
    pub row_timeout_s: Option<u64>,
    /// The rows, in the sweep's order.
    pub rows: Vec<PlannedRow>,
}

/// A row as a task: a probe's arguments, and where its artifacts go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRow {
    /// Which task it is. Tasks are counted from 0, those first that take the longest.
    pub index: u64,
    /// The row's name.
    pub id: String,
    /// Its folder in the run directory.
    pub dir: String,
    /// Ant preset: a name, a path in the run directory, or inline JSON.
    pub ant: String,
    /// Colony preset, likewise.
    pub colony: String,
    /// Samples per step.
    pub batch: u64,
    /// Readout heads.
    pub out_dim: u64,
    /// Precision of the step; null is the ant's own.
    pub precision: Option<Precision>,
    /// Whether the step runs under amp; null is what goes with its precision.
    pub amp: Option<bool>,
    /// Which step of the model it takes.
    pub step: StepKind,
    /// The tape of the fused step.
    pub tape: Option<TapeKind>,
    /// Steps before the measurement window.
    pub warmup_steps: u64,
    /// Steps in the measurement window.
    pub measure_steps: u64,
}

impl PlannedRow {
    /// A sweep's row as a task.
    pub fn new(index: u64, dir: String, row: &SweepRow) -> Self {
        Self {
            index,
            id: row.id.clone(),
            dir,
            ant: row.ant.clone(),
            colony: row.colony.clone(),
            batch: row.batch,
            out_dim: row.out_dim,
            precision: row.precision,
            amp: row.amp,
            step: row.step,
            tape: row.tape,
            warmup_steps: row.warmup_steps,
            measure_steps: row.measure_steps,
        }
    }

    /// The sweep's row, without what was said or published about it.
    pub fn row(&self) -> SweepRow {
        SweepRow {
            id: self.id.clone(),
            ant: self.ant.clone(),
            colony: self.colony.clone(),
            batch: self.batch,
            out_dim: self.out_dim,
            precision: self.precision,
            amp: self.amp,
            step: self.step,
            tape: self.tape,
            warmup_steps: self.warmup_steps,
            measure_steps: self.measure_steps,
            note: None,
            on_demand: false,
            published: None,
        }
    }
}

impl PlanFile {
    /// Reads the plan of a run directory.
    ///
    /// # Errors
    ///
    /// There is none, or it is broken, or of another version.
    pub fn read(dir: &Path) -> Result<Self, ArtifactError> {
        let path = dir.join(names::PLAN);
        let text = read_text(&path)
            .map_err(|source| ArtifactError::NoPlan { dir: dir.to_owned(), source })?;
        let broken = |message| ArtifactError::Plan { path: path.clone(), message };
        let plan: Self = serde_json::from_str(&text).map_err(|e| broken(words(&e)))?;
        if plan.artifact_version != ARTIFACT_VERSION {
            let found = plan.artifact_version;
            return Err(ArtifactError::Version { path, found });
        }
        plan.check().map_err(broken)?;
        Ok(plan)
    }

    /// Writes the plan into a run directory.
    ///
    /// # Errors
    ///
    /// It cannot be written, or could not be read again.
    pub fn write(&self, dir: &Path) -> Result<(), ArtifactError> {
        let path = dir.join(names::PLAN);
        let failed = |source: serde_json::Error| ArtifactError::Write {
            path: path.clone(),
            source: source.into(),
        };
        let text = serde_json::to_string(self).map_err(failed)?;
        if text.len() as u64 > LIMIT_BYTES {
            return Err(ArtifactError::PlanTooLarge { rows: self.rows.len() });
        }
        write_atomically(&path, text.as_bytes())
    }

    /// A folder is made and moved: it has to be one of this directory, and one row's.
    fn check(&self) -> Result<(), String> {
        let (mut indexes, mut ids, mut dirs) = (HashSet::new(), HashSet::new(), HashSet::new());
        for row in &self.rows {
            let mut parts = Path::new(&row.dir).components();
            let is_folder =
                matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
            if !is_folder {
                return Err(format!("row {:?}: {:?} is no name of a folder", row.id, row.dir));
            }
            if !indexes.insert(row.index) || !ids.insert(&row.id) || !dirs.insert(&row.dir) {
                return Err(format!("row {:?}: another has its index, id or folder", row.id));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use vram_presets::library::Library;

    use super::*;

    fn plan() -> PlanFile {
        let sweep = Library::built_in().sweep("smoke").unwrap().spec;
        let rows = sweep.rows.iter().enumerate();
        PlanFile {
            artifact_version: ARTIFACT_VERSION.to_owned(),
            sweep: sweep.name.clone(),
            device: "cpu".to_owned(),
            no_preflight: false,
            row_timeout_s: Some(90),
            rows: rows
                .map(|(at, row)| PlannedRow::new(at as u64, format!("{}_x", row.id), row))
                .collect(),
        }
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan();
        plan.write(dir.path()).unwrap();
        assert_eq!(PlanFile::read(dir.path()).unwrap(), plan);
        let sweep = Library::built_in().sweep("smoke").unwrap().spec;
        for (planned, row) in plan.rows.iter().zip(sweep.rows) {
            let row = SweepRow { note: None, published: None, on_demand: false, ..row };
            assert_eq!(planned.row(), row);
        }
    }

    #[test]
    fn a_plan_that_nobody_wrote_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(names::PLAN);
        assert!(matches!(PlanFile::read(dir.path()), Err(ArtifactError::NoPlan { .. })));
        let mut newer = plan();
        newer.artifact_version = "vram_artifacts_v9".to_owned();
        newer.write(dir.path()).unwrap();
        assert!(matches!(PlanFile::read(dir.path()), Err(ArtifactError::Version { .. })));
        for edit in [
            |plan: &mut PlanFile| plan.rows[1].index = plan.rows[0].index,
            |plan: &mut PlanFile| plan.rows[1].id = plan.rows[0].id.clone(),
            |plan: &mut PlanFile| plan.rows[1].dir = plan.rows[0].dir.clone(),
            |plan: &mut PlanFile| plan.rows[0].dir = "../elsewhere".to_owned(),
            |plan: &mut PlanFile| plan.rows[0].dir = "/etc".to_owned(),
            |plan: &mut PlanFile| plan.rows[0].dir = String::new(),
        ] {
            let mut plan = plan();
            edit(&mut plan);
            plan.write(dir.path()).unwrap();
            let refused = PlanFile::read(dir.path());
            assert!(matches!(refused, Err(ArtifactError::Plan { .. })), "{refused:?}");
        }
        std::fs::write(&path, "{\"sweep\":").unwrap();
        assert!(matches!(PlanFile::read(dir.path()), Err(ArtifactError::Plan { .. })));
    }

    #[test]
    fn a_plan_that_could_not_be_read_again_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut plan = plan();
        let row = plan.rows[0].clone();
        plan.rows = vec![row; 60_000];
        let refused = plan.write(dir.path());
        assert!(matches!(refused, Err(ArtifactError::PlanTooLarge { rows: 60_000 })));
        assert!(!dir.path().join(names::PLAN).exists());
    }
}
