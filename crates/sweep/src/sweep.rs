//! A whole sweep: refused, or run to its end.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::Duration;

use vram_artifacts::atomic::write_atomically;
use vram_artifacts::names;
use vram_launch::choice::DevicesChoice;
use vram_metrics::verdict::VRAM_GUARD_RATIO;
use vram_presets::kind::PresetKind;
use vram_presets::library::Library;
use vram_presets::sweep::Sweep;
use vram_report::memory_check::{DeviceMemory, Limit};

use crate::device::{Executables, SweepDevice};
use crate::error::SweepError;
use crate::event::{Event, Listener};
use crate::find_max::{self, Search, Searched, Searches};
use crate::interrupt::Interrupt;
use crate::lock::{self, Lock};
use crate::plan::{self, Plan};
use crate::preflight::Preflight;
use crate::probe_process::Limits;
use crate::resume;
use crate::run_dir;
use crate::runner::{RowResult, Runner};
use crate::signal::Signal;

/// What is to be swept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sweep preset or file.
    pub sweep: String,
    /// Where rows run.
    pub devices: DevicesChoice,
    /// Only these rows, on-demand ones included; empty is all that do not wait to be named.
    pub only: Vec<String>,
    /// The run directory; none is one in `runs`, named after now, the device and the sweep.
    pub out: Option<PathBuf>,
    /// Keep the finished rows of the run directory, or of this sweep's newest one, and do the rest.
    pub resume: bool,
    /// Rows of the run directory that are measured again, whatever is there of them.
    pub redo: Vec<String>,
    /// What is done with each row.
    pub task: Task,
    /// End a row's process after this long; it counts as lost.
    pub row_timeout: Option<Duration>,
}

/// What is done with each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Measure it; with what becomes of one that is predicted not to fit.
    Measure(Preflight),
    /// Search for the largest batch of its workload on a device of this many bytes; none is the
    /// device's own memory without what others hold of it.
    FindMax(Option<u64>),
}

/// What a sweep came to.
#[derive(Debug)]
pub struct Finished {
    /// The run directory.
    pub dir: PathBuf,
    /// What each row came to.
    pub results: Results,
    /// The signal that ended it early.
    pub signal: Option<Signal>,
}

/// What each row came to.
#[derive(Debug)]
pub enum Results {
    /// Rows, in the order in which they were to run.
    Rows(Vec<RowResult>),
    /// Searches, and the limit that they kept to.
    Largest(Searches, Limit),
}

/// What is left to do when nothing can be refused any more.
enum Work {
    Measure(Plan),
    Search(Vec<Searched>, Limit),
}

/// Refuses what can be refused before anything runs, then measures row after row.
///
/// # Errors
///
/// What was refused. Nothing that happens to a row is an error.
pub fn run(
    options: &Options,
    library: &Library,
    executables: Executables<'_>,
    listen: Listener<'_>,
) -> Result<Finished, SweepError> {
    let sweep = library.sweep(&options.sweep)?.spec;
    let rows = plan::select_with(&sweep, &options.only, &options.redo)?;
    let (devices, probe) = SweepDevice::choose_each(&options.devices, executables, library)?;
    listen(Event::Devices(&devices));
    // Several are cards.
    let kind = devices[0].kind();
    let dir = directory(options, kind.name(), &sweep)?;
    lock::refuse_held(&dir)?;
    let (preflight, work) = match options.task {
        Task::Measure(preflight) => {
            let plan = Plan::new(library, kind, rows, &dir)?;
            match options.resume {
                true => resume::refuse_another(library, &sweep, false, &dir)?,
                false => plan.refuse_occupied()?,
            }
            (preflight, Work::Measure(plan))
        }
        Task::FindMax(bytes) => {
            let searched = find_max::plan(library, kind, &rows, &dir)?;
            match options.resume {
                true => resume::refuse_another(library, &sweep, true, &dir)?,
                false => find_max::refuse_occupied(&searched, &dir)?,
            }
            (Preflight::Trust, Work::Search(searched, limit_of(bytes, &devices)?))
        }
    };
    let probe = probe.executable(&devices)?;
    listen(Event::Directory(&dir));
    let _lock = Lock::take(&dir)?;
    let interrupt = Interrupt::caught()?;
    let limits = Limits { interrupt: interrupt.clone(), timeout: options.row_timeout };
    keep_text(library, &options.sweep, &dir)?;
    let (resume, redo) = (options.resume, options.redo.clone());
    let runner = Runner { devices, probe, limits, resume, redo, preflight };
    let results = match work {
        Work::Measure(plan) => Results::Rows(runner.measure(plan.rows, listen)),
        Work::Search(searched, limit) => {
            let search = Search { runner: &runner, library, dir: &dir, limit };
            Results::Largest(search.run(searched, listen), limit)
        }
    };
    Ok(Finished { dir, results, signal: interrupt.signal() })
}

/// Leaves a sweep that is known by no name in its run directory: its notes are for whoever reads the rows.
fn keep_text(library: &Library, arg: &str, dir: &Path) -> Result<(), SweepError> {
    let mut entries = library.list().into_iter();
    if entries.any(|entry| entry.kind == PresetKind::Sweep && entry.name == arg) {
        return Ok(());
    }
    let source = library.sweep_text(arg)?;
    let (file, text) = (dir.join(names::SWEEP), source.text().as_bytes());
    // A sweep that is resumed on a full disk has it already.
    let is_as_long = |m: Metadata| m.is_file() && m.len() == text.len() as u64;
    if fs::metadata(&file).is_ok_and(is_as_long) && fs::read(&file).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    Ok(write_atomically(&file, text)?)
}

/// The most that a batch may reserve whose boundary is searched.
fn limit_of(bytes: Option<u64>, devices: &[SweepDevice]) -> Result<Limit, SweepError> {
    let memory = |device: &SweepDevice| match bytes {
        Some(bytes) => Some(DeviceMemory::unused(bytes, device.context)),
        None => device.memory(),
    };
    let limit = |device| Some(memory(device)?.limit(VRAM_GUARD_RATIO));
    let limits: Option<Vec<Limit>> = devices.iter().map(limit).collect();
    // What is found on one device is to hold on each.
    limits
        .and_then(|limits| limits.into_iter().min_by_key(|limit| limit.bytes))
        .ok_or(SweepError::MemoryUnknown)
}

/// The directory that is named, or one named after now, or the newest of this sweep.
fn directory(
    options: &Options,
    device: &'static str,
    sweep: &Sweep,
) -> Result<PathBuf, SweepError> {
    if let Some(out) = &options.out {
        return Ok(out.clone());
    }
    let what = format!("{device}-{}", sweep.name);
    if !options.resume {
        return Ok(run_dir::named_after_now(&what));
    }
    run_dir::newest(&what)
        .ok_or_else(|| SweepError::NoRunToResume { sweep: sweep.name.clone(), device })
}
