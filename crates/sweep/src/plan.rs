//! The rows that are to be measured, each with its workload, its directory and its prediction.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use vram_artifacts::names;
use vram_artifacts::run_record::{RunRecord, read};
use vram_artifacts::steps::steps_total;
use vram_presets::library::Library;
use vram_presets::name::short;
use vram_presets::spec::WorkloadSpec;
use vram_presets::sweep::{Sweep, SweepRow};
use vram_report::error::ReportError;
use vram_report::predictor::Forecast;
use vram_report::workload::{Mode, Workload};
use vram_workload::device_kind::DeviceKind;

use crate::counted::{CountError, CountedProbe, count};
use crate::error::SweepError;

/// What a row's directory is called after it where a virtual card counted its step.
const COUNTED: &str = ".counted";

/// The rows that are to be measured, each with its workload, its directory and its prediction.
#[derive(Debug)]
pub struct Plan {
    /// In the order in which they run.
    pub rows: Vec<Row>,
}

/// One datapoint.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub id: String,
    /// The sweep's row.
    pub row: SweepRow,
    /// Its workload after overrides.
    pub spec: WorkloadSpec,
    /// Where its artifacts go.
    pub dir: PathBuf,
    /// What its step reserves with any number of samples, by its ledger; none where it has none.
    pub forecast: Option<Forecast>,
    /// What a virtual card counted of its step, where there is no forecast.
    pub counted: Option<Box<RunRecord>>,
}

/// The sweep's rows that are meant: those that `only` names, or all that do not wait for it.
///
/// # Errors
///
/// [`SweepError::NoRow`].
pub fn select<'a>(sweep: &'a Sweep, only: &[String]) -> Result<Vec<&'a SweepRow>, SweepError> {
    if let Some(unknown) = only.iter().find(|id| sweep.rows.iter().all(|r| r.id != **id)) {
        return Err(SweepError::NoRow {
            sweep: sweep.name.clone(),
            row: unknown.clone(),
            known: sweep.rows.iter().map(|row| row.id.clone()).collect(),
        });
    }
    let meant = |row: &&SweepRow| {
        if only.is_empty() { !row.on_demand } else { only.contains(&row.id) }
    };
    Ok(sweep.rows.iter().filter(meant).collect())
}

/// As [`select`], with the rows that are to be measured again among them.
pub(crate) fn select_with<'a>(
    sweep: &'a Sweep,
    only: &[String],
    redo: &[String],
) -> Result<Vec<&'a SweepRow>, SweepError> {
    let (meant, again) = (select(sweep, only)?, select(sweep, redo)?);
    let is_again = |row: &SweepRow| !redo.is_empty() && again.iter().any(|r| r.id == row.id);
    let is_meant = |row: &SweepRow| meant.iter().any(|r| r.id == row.id);
    Ok(sweep.rows.iter().filter(|row| is_meant(row) || is_again(row)).collect())
}

impl Plan {
    /// The plan for these rows on a kind of device, in this run directory.
    ///
    /// # Errors
    ///
    /// A row whose presets are missing or wrong, or whose step cannot run.
    pub fn new(
        library: &Library,
        kind: DeviceKind,
        rows: Vec<&SweepRow>,
        dir: &Path,
    ) -> Result<Self, SweepError> {
        let rows = rows.into_iter().map(|row| Row::new(library, kind, row, dir));
        Ok(Self { rows: rows.collect::<Result<_, _>>()? })
    }

    /// A directory that holds rows is continued on purpose or not at all.
    pub(crate) fn refuse_occupied(&self) -> Result<(), SweepError> {
        match self.rows.iter().find(|row| row.dir.exists()) {
            None => Ok(()),
            Some(row) => Err(SweepError::Occupied { dir: row.dir.clone() }),
        }
    }
}

/// `<id>_<ant>x<colony>_B<batch>`, with names that are paths or inline text made fit for a folder.
fn folder(row: &SweepRow) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let name = |label: &str| short(label).chars().take(40).map(plain).collect::<String>();
    format!("{}_{}x{}_B{}", row.id, name(&row.ant), name(&row.colony), row.batch)
}

/// Id of the row's probe with this batch, in a search for the largest.
pub(crate) fn batch_id(row: &SweepRow, batch: impl Display) -> String {
    format!("{}-B{batch}", row.id)
}

/// Whether a run was measured with a row's very settings; `probe_id` is the row's.
pub(crate) fn has_settings(run: &RunRecord, probe_id: &str, row: &SweepRow) -> bool {
    let m = &run.metrics;
    m.probe_id == probe_id
        && m.step() == row.step
        && m.tape() == row.tape
        && m.warmup_steps == row.warmup_steps
        && m.measure_steps == row.measure_steps
}

impl Row {
    /// The row with its prediction on a kind of device, in this run directory.
    ///
    /// # Errors
    ///
    /// Presets that are missing or wrong, or a step that cannot run.
    pub fn new(
        library: &Library,
        kind: DeviceKind,
        row: &SweepRow,
        dir: &Path,
    ) -> Result<Self, SweepError> {
        let id = || row.id.clone();
        let spec = library.workload(row).map_err(|source| SweepError::Row { id: id(), source })?;
        Self::of_workload(kind, row, spec, dir.join(folder(row)))
    }

    /// The row of a workload whose presets are read, with its artifacts in `dir`.
    pub(crate) fn of_workload(
        kind: DeviceKind,
        row: &SweepRow,
        spec: WorkloadSpec,
        dir: PathBuf,
    ) -> Result<Self, SweepError> {
        let SweepRow { amp, out_dim, step, tape, .. } = *row;
        let mode = Mode { amp, out_dim, step, tape };
        let forecast = steps_total(row.warmup_steps, row.measure_steps)
            .map_err(ReportError::from)
            .and_then(|_| Workload::new(spec, mode))
            .and_then(|workload| Forecast::new(&workload, kind))
            .map_err(|source| SweepError::RowCannotRun {
                id: row.id.clone(),
                source: source.into(),
            })?;
        Ok(Self { id: row.id.clone(), dir, forecast, counted: None, row: row.clone(), spec })
    }

    /// Predicted peak reserved, in bytes.
    pub fn predicted(&self) -> Option<u64> {
        match (&self.forecast, &self.counted) {
            (Some(forecast), _) => forecast.reserved_bytes(self.spec.colony.batch_size),
            (None, counted) => counted.as_ref()?.metrics.peak_vram_reserved_bytes,
        }
    }

    /// Counts on a virtual card what `vram_cuda` would measure of a row without a forecast, beside the
    /// row's directory: a report finds it there. What was counted before is taken as it is.
    pub(crate) fn count(
        &mut self,
        vram_cuda: &Path,
        is_interrupted: &dyn Fn() -> bool,
    ) -> Result<(), CountError> {
        let dir = self.counted_dir();
        let run = match self.counted_before() {
            Some(run) => run,
            None => {
                let SweepRow { amp, out_dim, step, tape, .. } = self.row;
                let mode = Mode { amp, out_dim, step, tape };
                let workload = &Workload::new(self.spec, mode)?;
                let SweepRow { warmup_steps, measure_steps, .. } = self.row;
                let probe = CountedProbe {
                    executable: vram_cuda,
                    workload,
                    warmup_steps,
                    measure_steps,
                    row_id: Some(&self.row.id),
                };
                count(&probe, &dir, is_interrupted)?
            }
        };
        self.counted = Some(Box::new(run));
        Ok(())
    }

    /// Takes what was counted before of a row without a forecast.
    pub(crate) fn take_counted(&mut self) {
        if self.forecast.is_none() {
            self.counted = self.counted_before().map(Box::new);
        }
    }

    fn counted_before(&self) -> Option<RunRecord> {
        let probe_id = self.probe_id();
        let is_of_row =
            |run: &RunRecord| run.env.virtual_card && has_settings(run, &probe_id, &self.row);
        read(&self.counted_dir()).ok().filter(is_of_row)
    }

    fn counted_dir(&self) -> PathBuf {
        let mut dir = self.dir.clone().into_os_string();
        dir.push(COUNTED);
        PathBuf::from(dir)
    }

    /// The row's record, if it ran before to its end with these very settings.
    pub(crate) fn finished(&self) -> Option<RunRecord> {
        let record = read(&self.dir).ok()?;
        let probe_id = self.probe_id();
        has_settings(&record, &probe_id, &self.row).then_some(record)
    }

    /// Moves an unfinished attempt out of the way; nothing is deleted.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn set_aside(&self) -> Result<(), SweepError> {
        if !self.dir.exists() {
            return Ok(());
        }
        let aside = |n: u32| PathBuf::from(format!("{}{}{n}", self.dir.display(), names::ASIDE));
        let free = (1..).map(aside).find(|p| !p.exists());
        std::fs::rename(&self.dir, free.unwrap_or_else(|| aside(0)))
            .map_err(SweepError::system(format!("move {} aside", self.dir.display())))
    }

    /// Whether its step runs under amp.
    pub(crate) fn amp(&self) -> bool {
        self.row.amp_of(&self.spec)
    }

    /// Identity of its probe (VRA-31).
    pub(crate) fn probe_id(&self) -> String {
        self.spec.probe_id(self.row.out_dim, self.amp())
    }

    /// Steps that the row takes, warm-up included.
    pub fn steps(&self) -> u64 {
        self.row.warmup_steps.saturating_add(self.row.measure_steps)
    }

    /// Its folder in the run directory.
    pub(crate) fn folder(&self) -> String {
        folder(&self.row)
    }

    /// Work of one step in the units that time grows with: elements that pass through memory.
    pub fn work(&self) -> f64 {
        let (ant, colony) = (&self.spec.ant, &self.spec.colony);
        [colony.batch_size, colony.synth_len, ant.ring_len, ant.slot_dim]
            .iter()
            .map(|&n| n as f64)
            .product()
    }

    /// Work of all its steps, in the same units.
    pub fn whole_work(&self) -> f64 {
        self.work() * self.steps() as f64
    }
}

/// Places of rows, those first that take the longest: what is left at the end is short, and all that run
/// them are busy until then.
pub(crate) fn longest_first(rows: &[Row]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| rows[b].whole_work().total_cmp(&rows[a].whole_work()));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(only: &[&str]) -> Vec<Row> {
        let library = Library::built_in();
        let sweep = library.sweep("vra34").unwrap().spec;
        let only: Vec<String> = only.iter().map(|s| (*s).to_owned()).collect();
        let rows = select(&sweep, &only).unwrap();
        Plan::new(&library, DeviceKind::Cuda, rows, Path::new("out")).unwrap().rows
    }

    fn ids(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|r| r.id.as_str()).collect()
    }

    #[test]
    fn rows_on_demand_run_only_when_named() {
        assert_eq!(ids(&plan(&[])), ["DP1", "DP9", "DP2", "DP8", "DP3", "DP4", "DP5", "DP6"]);
        assert_eq!(ids(&plan(&["DP5", "DP1E16"])), ["DP5", "DP1E16"]);
        let sweep = Library::built_in().sweep("vra34").unwrap().spec;
        let error = select(&sweep, &["DP77".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "sweep vra34 has no row `DP77`");
    }

    #[test]
    fn folders_are_named_after_their_rows() {
        assert_eq!(plan(&["DP1"])[0].dir, Path::new("out/DP1_smallxreal_B16"));
        let mut row = plan(&["DP1"]).remove(0).row;
        row.ant = "some where/my ant.toml".to_owned();
        assert_eq!(folder(&row), "DP1_my_antxreal_B16");
    }

    /// DP1 reserves 259 granules of 32 MiB on a card.
    #[test]
    fn a_row_is_predicted_by_its_ledger() {
        assert_eq!(plan(&["DP1"])[0].predicted(), Some(259 << 25));
    }

    /// A run is finished if its artifacts are whole and of these very settings.
    #[test]
    fn a_finished_row_is_recognised() {
        let mut row = plan(&["DP1"]).remove(0);
        assert!(row.finished().is_none());
        let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/tests/data/torch_h200");
        row.dir = runs.join("dp01_smallxreal_B16");
        assert_eq!(row.finished().unwrap().metrics.batch_size, 16);
        row.row.measure_steps = 4;
        assert!(row.finished().is_none());
        row.row.measure_steps = 3;
        row.row.out_dim = 16;
        assert!(row.finished().is_none());
    }

    #[test]
    fn an_unfinished_attempt_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut row = plan(&["DP1"]).remove(0);
        row.dir = dir.path().join("DP1");
        for n in 1..3 {
            std::fs::create_dir(&row.dir).unwrap();
            std::fs::write(row.dir.join("run_cmd.txt"), "half").unwrap();
            assert!(row.finished().is_none());
            row.set_aside().unwrap();
            assert!(!row.dir.exists());
            assert!(dir.path().join(format!("DP1.unfinished-{n}/run_cmd.txt")).exists());
        }
        row.set_aside().unwrap();
    }
}
