//! A sweep as a plan in its run directory: every row a task that needs nothing of where it was
//! planned.
//!
//! The run directory gets what a row takes: the sweep's text, the presets that are no built-in
//! ones, the executables, and last `plan.json`, with which it is whole.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vram_artifacts::atomic::write_atomically;
use vram_artifacts::error::ArtifactError;
use vram_artifacts::names;
use vram_artifacts::plan::{PlanFile, PlannedRow};
use vram_artifacts::version::ARTIFACT_VERSION;
use vram_launch::executable::cuda_executable_name;
use vram_presets::kind::PresetKind;
use vram_presets::library::{Library, Origin};
use vram_presets::sweep::SweepRow;
use vram_workload::device_kind::DeviceKind;

use crate::error::SweepError;
use crate::lock::{self, Lock};
use crate::plan::{Plan, Row, longest_first, select};
use crate::run_dir;

/// What is to be planned.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sweep preset or file.
    pub sweep: String,
    /// The kind of device that rows run on.
    pub kind: DeviceKind,
    /// Only these rows, on-demand ones included; empty is all that do not wait to be named.
    pub only: Vec<String>,
    /// The run directory; none is one in `runs`, named after now, the device and the sweep.
    pub out: Option<PathBuf>,
    /// Rows run that are predicted not to fit.
    pub no_preflight: bool,
    /// End a row's process after this long.
    pub row_timeout: Option<Duration>,
}

/// A sweep that is planned in a run directory.
#[derive(Debug)]
pub struct Planned {
    /// The run directory.
    pub dir: PathBuf,
    /// Its plan.
    pub plan: PlanFile,
    /// The kind of device that rows run on.
    pub kind: DeviceKind,
    /// The plan's rows in its order, with their predictions.
    pub rows: Vec<Row>,
    /// Its presets.
    pub library: Library,
}

/// Names the files that a task on a kind of device is done with: executables and what lies beside
/// them. They are built if need be.
pub type Carried<'a> = &'a dyn Fn(DeviceKind) -> Result<Vec<PathBuf>, SweepError>;

/// Plans a sweep in a run directory that holds none.
///
/// # Errors
///
/// What can be refused before anything runs, and what cannot be written.
pub fn write(
    options: &Options,
    library: &Library,
    carried: Carried<'_>,
) -> Result<Planned, SweepError> {
    let source = library.sweep_text(&options.sweep)?;
    let sweep = library.sweep(&options.sweep)?.spec;
    let rows = select(&sweep, &options.only)?;
    let what = format!("{}-{}", options.kind.name(), sweep.name);
    let dir = options.out.clone().unwrap_or_else(|| run_dir::named_after_now(&what));
    lock::refuse_held(&dir)?;
    let plan = Plan::new(library, options.kind, rows, &dir)?;
    plan.refuse_occupied()?;
    if dir.join(names::PLAN).exists() {
        return Err(SweepError::Occupied { dir: dir.join(names::PLAN) });
    }
    let files = carried(options.kind)?;
    let _lock = Lock::take(&dir)?;
    write_atomically(&dir.join(names::SWEEP), source.text().as_bytes())?;
    let mut presets = Presets::new(library, &dir)?;
    let mut tasks = Vec::with_capacity(plan.rows.len());
    for (row, index) in plan.rows.iter().zip(indexes(&plan.rows)) {
        let ant = presets.keep(PresetKind::Ant, &row.row.ant)?;
        let colony = presets.keep(PresetKind::Colony, &row.row.colony)?;
        let carried = SweepRow { ant, colony, ..row.row.clone() };
        tasks.push(PlannedRow::new(index, row.folder(), &carried));
    }
    let bin = dir.join(names::EXECUTABLES);
    make(&bin)?;
    for file in files {
        copy_into(&file, &bin)?;
    }
    let file = PlanFile {
        artifact_version: ARTIFACT_VERSION.to_owned(),
        sweep: sweep.name,
        device: options.kind.name().to_owned(),
        no_preflight: options.no_preflight,
        row_timeout_s: options.row_timeout.map(|timeout| timeout.as_secs()),
        rows: tasks,
    };
    file.write(&dir)?;
    let library = Library::discover(&dir);
    Ok(Planned { dir, plan: file, kind: options.kind, rows: plan.rows, library })
}

/// Opens the plan of a run directory, with a prediction for every row.
///
/// # Errors
///
/// There is none, or what it names is not there.
pub fn open(dir: &Path) -> Result<Planned, SweepError> {
    let plan = PlanFile::read(dir)?;
    let library = Library::discover(dir);
    let kind = kind(&plan, dir)?;
    // Paths in a plan begin at its directory.
    let at = |arg: String| match Path::new(&arg).starts_with(names::PRESETS) {
        true => dir.join(arg).display().to_string(),
        false => arg,
    };
    let mut known = HashMap::new();
    let rows = plan.rows.iter().map(|task| {
        let row = task.row();
        let row = SweepRow { ant: at(row.ant), colony: at(row.colony), ..row };
        let key = (row.ant.clone(), row.colony.clone(), row.precision);
        let spec = match known.get(&key) {
            Some(spec) => *spec,
            None => {
                let spec = library.workload(&row);
                let id = row.id.clone();
                *known.entry(key).or_insert(spec.map_err(|source| SweepError::Row { id, source })?)
            }
        };
        let spec = spec.with_batch(row.batch)?;
        Row::of_workload(kind, &row, spec, dir.join(&task.dir))
    });
    let rows = rows.collect::<Result<_, _>>()?;
    Ok(Planned { dir: dir.to_owned(), kind, rows, library, plan })
}

/// Opens the plan of a run directory whose rows are to be submitted again: this sweep's, where one is
/// named. None is the newest directory of that sweep.
///
/// # Errors
///
/// As of [`open`], another sweep, or one that is under way in the directory.
pub fn reopen(
    dir: Option<&Path>,
    sweep: Option<&str>,
    default: &str,
    kind: DeviceKind,
    library: &Library,
) -> Result<Planned, SweepError> {
    let named = |sweep: &str| Ok::<_, SweepError>(library.sweep(sweep)?.spec.name);
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => {
            let (sweep, device) = (named(sweep.unwrap_or(default))?, kind.name());
            let newest = run_dir::newest(&format!("{device}-{sweep}"));
            newest.ok_or(SweepError::NoRunToResume { sweep, device })?
        }
    };
    lock::refuse_held(&dir)?;
    let planned = open(&dir)?;
    match sweep.map(named).transpose()? {
        Some(sweep) if sweep != planned.plan.sweep => {
            Err(SweepError::OtherPlan { dir, planned: planned.plan.sweep, sweep })
        }
        _ => Ok(planned),
    }
}

/// What lies in a directory of executables that a task on a kind of device is done with.
///
/// # Errors
///
/// An executable that is not there.
pub fn carried_from(dir: &Path, kind: DeviceKind) -> Result<Vec<PathBuf>, SweepError> {
    let vram = dir.join(format!("vram{}", std::env::consts::EXE_SUFFIX));
    let cuda = dir.join(cuda_executable_name());
    let files = match kind {
        DeviceKind::Cpu => vec![vram],
        DeviceKind::Cuda => vec![vram, cuda],
    };
    if let Some(path) = files.iter().find(|file| !file.is_file()) {
        return Err(SweepError::NotThere { path: path.clone() });
    }
    Ok(files.into_iter().flat_map(with_libraries).collect())
}

/// An executable with what its libraries are found by: a folder of them, and what says which toolkit it
/// was built with.
pub fn with_libraries(executable: PathBuf) -> impl Iterator<Item = PathBuf> {
    let beside = [executable.with_extension("toolkit"), executable.with_file_name("lib")];
    let is_for_cards = executable.file_stem().is_some_and(|stem| stem == "vram-cuda");
    let beside = beside.into_iter().filter(move |path| is_for_cards && path.exists());
    std::iter::once(executable).chain(beside)
}

/// The kind of device that a plan is for.
pub(crate) fn kind(plan: &PlanFile, dir: &Path) -> Result<DeviceKind, SweepError> {
    plan.device.parse().map_err(|_| {
        let message = format!("device {:?} is neither cpu nor cuda", plan.device);
        ArtifactError::Plan { path: dir.join(names::PLAN), message }.into()
    })
}

/// Which task each row is.
fn indexes(rows: &[Row]) -> Vec<u64> {
    let mut indexes = vec![0; rows.len()];
    for (index, at) in longest_first(rows).into_iter().enumerate() {
        indexes[at] = index as u64;
    }
    indexes
}

/// The presets of a run directory, each copied once.
struct Presets<'a> {
    library: &'a Library,
    dir: &'a Path,
    /// What a preset is called in the run directory, by what it is called here.
    kept: HashMap<(&'static str, String), String>,
}

impl<'a> Presets<'a> {
    fn new(library: &'a Library, dir: &'a Path) -> Result<Self, SweepError> {
        // Also where there are none to copy: whoever looks for presets from here looks no further.
        make(&dir.join(names::PRESETS).join(PresetKind::Ant.folder()))?;
        Ok(Self { library, dir, kept: HashMap::new() })
    }

    /// What a preset that is called `arg` here is called in the run directory.
    fn keep(&mut self, kind: PresetKind, arg: &str) -> Result<String, SweepError> {
        let key = (kind.folder(), arg.to_owned());
        if let Some(kept) = self.kept.get(&key) {
            return Ok(kept.clone());
        }
        let origin = match kind {
            PresetKind::Colony => self.library.colony(arg)?.origin,
            _ => self.library.ant(arg)?.origin,
        };
        let kept = match origin {
            Origin::BuiltIn | Origin::Inline => arg.to_owned(),
            Origin::File(path) => self.copy(kind, arg, &path)?,
        };
        self.kept.insert(key, kept.clone());
        Ok(kept)
    }

    fn copy(&self, kind: PresetKind, arg: &str, path: &Path) -> Result<String, SweepError> {
        let folder = Path::new(names::PRESETS).join(kind.folder());
        let has_name = path.file_stem().is_some_and(|stem| stem == arg);
        if has_name {
            make(&self.dir.join(&folder))?;
            copy_into(path, &self.dir.join(folder))?;
            return Ok(arg.to_owned());
        }
        // Given by path: others may have its name.
        let folder = folder.join(self.kept.len().to_string());
        make(&self.dir.join(&folder))?;
        copy_into(path, &self.dir.join(&folder))?;
        let name = path.file_name().unwrap_or_default();
        Ok(folder.join(name).display().to_string())
    }
}

fn make(dir: &Path) -> Result<(), SweepError> {
    fs::create_dir_all(dir).map_err(SweepError::system(format!("make {}", dir.display())))
}

/// Copies a file, or a folder of files, into a directory.
fn copy_into(path: &Path, dir: &Path) -> Result<(), SweepError> {
    let to = dir.join(path.file_name().unwrap_or_default());
    let failed = || SweepError::system(format!("copy {} to {}", path.display(), to.display()));
    if !path.is_dir() {
        return fs::copy(path, &to).map(drop).map_err(failed());
    }
    make(&to)?;
    for entry in fs::read_dir(path).map_err(failed())? {
        let file = entry.map_err(failed())?.path();
        if file.is_file() {
            copy_into(&file, &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANT: &str = "ring_len = 7\nslot_dim = 8\nptr_dtype = \"fp64\"\nprecision = \"fp32\"\n";

    fn options(sweep: &Path, out: &Path) -> Options {
        Options {
            sweep: sweep.display().to_string(),
            kind: DeviceKind::Cpu,
            only: Vec::new(),
            out: Some(out.to_owned()),
            no_preflight: false,
            row_timeout: Some(Duration::from_secs(90)),
        }
    }

    /// Presets by name, by path and built in, and files that stand for executables.
    #[test]
    fn a_plan_needs_nothing_of_where_it_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let checkout = dir.path().join("checkout");
        for (file, text) in [
            ("presets/ants/named.toml", ANT),
            ("one/mine.toml", ANT),
            ("two/mine.toml", &ANT.replace("= 7", "= 9")),
            ("vram", "#!/bin/sh\n"),
            ("lib/libcublas.so", "library"),
        ] {
            let file = checkout.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let at = |file: &str| checkout.join(file).display().to_string();
        let row = |id: &str, ant: &str, batch: u64| {
            format!(
                "[[row]]\nid = \"{id}\"\nant = '{ant}'\ncolony = \"smoke_short\"\nbatch = {batch}\n"
            )
        };
        let text = format!(
            "name = \"mine\"\n{}{}{}{}",
            row("A", "named", 2),
            row("B", &at("one/mine.toml"), 3),
            row("C", &at("two/mine.toml"), 4),
            row("D", "smoke_narrow", 1),
        );
        fs::write(checkout.join("mine.toml"), text).unwrap();
        let library = Library::discover(&checkout);
        let carried = |_: DeviceKind| Ok(vec![checkout.join("vram"), checkout.join("lib")]);
        let out = dir.path().join("out");
        let options = options(&checkout.join("mine.toml"), &out);
        let planned = write(&options, &library, &carried).unwrap();
        let again = write(&options, &library, &carried);
        assert!(matches!(again, Err(SweepError::Occupied { .. })), "{again:?}");

        fs::remove_dir_all(&checkout).unwrap();
        let moved = dir.path().join("moved");
        fs::rename(&out, &moved).unwrap();
        let opened = open(&moved).unwrap();
        assert_eq!(opened.plan, planned.plan);
        let rings = opened.rows.iter().map(|row| row.spec.ant.ring_len).collect::<Vec<_>>();
        assert_eq!(rings[..3], [7, 7, 9]);
        let specs = |planned: &Planned| planned.rows.iter().map(|row| row.spec).collect::<Vec<_>>();
        assert_eq!(specs(&opened), specs(&planned));
        assert_eq!(opened.rows[1].dir, moved.join("B_minexsmoke_short_B3"));
        assert!(moved.join("bin/vram").is_file() && moved.join("bin/lib/libcublas.so").is_file());
        assert!(moved.join("sweep.toml").is_file());
    }

    /// The largest first, as it takes the longest.
    #[test]
    fn tasks_that_take_the_longest_come_first() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let options = Options { sweep: "vra34".to_owned(), ..options(Path::new(""), &out) };
        let planned = write(&options, &Library::built_in(), &|_| Ok(Vec::new())).unwrap();
        let mut tasks: Vec<_> = planned.plan.rows.iter().zip(&planned.rows).collect();
        tasks.sort_by_key(|(task, _)| task.index);
        let work: Vec<f64> = tasks.iter().map(|(_, row)| row.work()).collect();
        assert!(work.windows(2).all(|pair| pair[0] >= pair[1]), "{work:?}");
        assert_eq!(tasks[0].0.index, 0);
        assert_eq!(planned.plan.rows[0].id, "DP1");
    }
}
