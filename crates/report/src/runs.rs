//! Runs found on disk.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vram_artifacts::error::ArtifactError;
use vram_artifacts::names;
use vram_artifacts::run_record::{RunRecord, read};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;

/// Runs found on disk.
#[derive(Debug, Default)]
pub struct Runs {
    /// Those that could be read: as the directories were given, and within one by time.
    pub records: Vec<RunRecord>,
    /// Runs of a virtual card that stand for one of `records`, of a step without a ledger: what was
    /// counted of it beforehand. They are no measurements, and predict one.
    pub counted: Vec<RunRecord>,
    /// Those that could not, by folder name.
    pub unreadable: Vec<(String, ArtifactError)>,
}

/// What happens while runs are read, for whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<'a> {
    /// This many more are there to read.
    Found(usize),
    /// One was read, or could not be.
    Read,
    /// One holds the same run as another, and counts once.
    Repeated {
        /// Where the first lies.
        first: &'a Path,
        /// Where it is again.
        again: &'a Path,
    },
}

/// Who is told of it, from several threads.
pub type Listener<'a> = &'a (dyn Fn(Reading<'_>) + Sync);

/// How far below a directory runs are looked for.
const DEPTH: usize = 2;

impl Runs {
    /// Reads every run in `dirs`: run directories, or directories that hold them. A run that is there
    /// twice, because its directory is named twice, is linked or was copied, counts once, and that is
    /// told to `tell`, as is every run that was read.
    ///
    /// # Errors
    ///
    /// A run directory that cannot be read, or a directory without a readable run.
    #[tracing::instrument(level = "trace", name = "read runs", skip_all)]
    pub fn load(dirs: &[PathBuf], tell: Listener<'_>) -> Result<Self, ArtifactError> {
        let mut runs = Self::default();
        for dir in dirs {
            if is_run(dir) {
                runs.records.push(read(dir)?);
            } else {
                runs.scan(dir, tell)?;
            }
        }
        runs.drop_repeated(tell);
        runs.set_counted_apart();
        let (read, not) = (runs.records.len(), runs.unreadable.len());
        tracing::debug!("{read} runs read, {not} that cannot be");
        Ok(runs)
    }

    /// Those that were measured: not on a virtual card, which computes nothing.
    pub fn measured(&self) -> impl Iterator<Item = &RunRecord> {
        self.records.iter().filter(|run| !run.env.virtual_card)
    }

    /// What was counted of a run before it was measured.
    pub fn counted_of(&self, run: &RunRecord) -> Option<&RunRecord> {
        self.counted.iter().find(|counted| settings(counted) == settings(run))
    }

    /// Takes runs of a virtual card out that are predictions: of a step without a ledger, measured
    /// with the same settings.
    fn set_counted_apart(&mut self) {
        let measured: HashSet<Settings> = self.measured().map(settings).collect();
        let is_counted = |run: &RunRecord| {
            let is_plain = run.metrics.step() == StepKind::Plain;
            run.env.virtual_card && is_plain && measured.contains(&settings(run))
        };
        let (counted, records) =
            std::mem::take(&mut self.records).into_iter().partition(|run| is_counted(run));
        (self.counted, self.records) = (counted, records);
    }

    /// Name of the device that the first run was measured on.
    pub fn machine(&self) -> &str {
        self.measured().next().map_or("no machine", RunRecord::machine)
    }

    /// Keeps the first of runs with the same artifacts.
    fn drop_repeated(&mut self, tell: Listener<'_>) {
        let mut seen: HashMap<[u8; 32], PathBuf> = HashMap::new();
        self.records.retain(|run| match seen.entry(run.content) {
            Entry::Vacant(new) => {
                new.insert(run.dir.clone());
                true
            }
            Entry::Occupied(first) => {
                tell(Reading::Repeated { first: first.get(), again: &run.dir });
                false
            }
        });
    }

    fn scan(&mut self, dir: &Path, tell: Listener<'_>) -> Result<(), ArtifactError> {
        let mut found = Self::default();
        let dirs = run_dirs(dir, DEPTH)?;
        tell(Reading::Found(dirs.len()));
        // In the order of the directories, whichever was read first.
        let read = |run: &PathBuf| {
            tell(Reading::Read);
            read(run)
        };
        let results: Vec<_> = dirs.par_iter().map(read).collect();
        for (run, result) in dirs.into_iter().zip(results) {
            match result {
                Ok(record) => found.records.push(record),
                Err(error) => found.unreadable.push((folder(&run), error)),
            }
        }
        if found.records.is_empty() {
            let nothing = ArtifactError::NoRun { path: dir.to_owned() };
            return Err(found.unreadable.pop().map_or(nothing, |(_, error)| error));
        }
        found.records.sort_by(|a, b| {
            let when = |r: &RunRecord| (r.env.generated_utc.clone(), r.dir.clone());
            when(a).cmp(&when(b))
        });
        self.records.extend(found.records);
        self.unreadable.extend(found.unreadable);
        Ok(())
    }
}

/// What decides a run's memory on a kind of device: probe, step and its tape, device, steps before and
/// in the measurement.
type Settings = (String, StepKind, Option<TapeKind>, String, u64, u64);

fn settings(run: &RunRecord) -> Settings {
    let m = &run.metrics;
    (m.probe_id.clone(), m.step(), m.tape(), m.device.clone(), m.warmup_steps, m.measure_steps)
}

fn folder(dir: &Path) -> String {
    dir.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// Any of the artifacts makes a directory a run, if an unfinished one.
fn is_run(dir: &Path) -> bool {
    [names::METRICS, names::RUN_CMD, names::ENV].iter().any(|name| dir.join(name).is_file())
}

fn run_dirs(dir: &Path, depth: usize) -> Result<Vec<PathBuf>, ArtifactError> {
    let fail = |e: std::io::Error| ArtifactError::Read { path: dir.to_owned(), source: e.into() };
    let mut found = Vec::new();
    let entries = std::fs::read_dir(dir).map_err(fail)?.collect::<Result<Vec<_>, _>>();
    let mut paths: Vec<PathBuf> = entries.map_err(fail)?.iter().map(|e| e.path()).collect();
    paths.sort();
    let is_aside = |path: &Path| folder(path).contains(names::ASIDE);
    for path in paths.into_iter().filter(|p| p.is_dir() && !is_aside(p)) {
        if is_run(&path) {
            found.push(path);
        } else if depth > 1 {
            found.extend(run_dirs(&path, depth - 1)?);
        }
    }
    Ok(found)
}
