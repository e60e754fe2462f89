//! Why a sweep or a bench does not run, or ends.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use vram_artifacts::error::ArtifactError;
use vram_launch::device::DeviceError;
use vram_presets::error::PresetError;
use vram_presets::step::NoTape;
use vram_report::defaults::NO_LEDGER;
use vram_report::error::ReportError;

/// Why a sweep or a bench does not run, or ends.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum SweepError {
    /// A preset that cannot be found, read or parsed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Preset(#[from] PresetError),

    /// A row that the sweep does not have.
    #[error("sweep {sweep} has no row `{row}`")]
    #[diagnostic(help("its rows: {}", known.join(", ")))]
    NoRow {
        /// The sweep.
        sweep: String,
        /// What was asked for.
        row: String,
        /// The ids that it has.
        known: Vec<String>,
    },

    /// A row whose presets are missing or wrong.
    #[error("row {id}")]
    #[diagnostic(forward(source))]
    Row {
        /// The row.
        id: String,
        /// What is wrong with its presets.
        source: PresetError,
    },

    /// A row whose step cannot run.
    #[error("row {id} cannot run")]
    #[diagnostic(forward(source))]
    RowCannotRun {
        /// The row.
        id: String,
        /// Why not.
        source: Box<ReportError>,
    },

    /// The run directory holds rows already.
    #[error("{} is there already", dir.display())]
    #[diagnostic(help(
        "name another --out, or continue that run with --resume; nothing was touched"
    ))]
    Occupied {
        /// A row's directory.
        dir: PathBuf,
    },

    /// Somebody else measures in the directory, or this row of its plan.
    #[error("another sweep is writing into {}: {holder} holds {}", path.parent().unwrap_or(path).display(), path.display())]
    #[diagnostic(help("wait until it is over, or name another --out"))]
    Held {
        /// What is locked.
        path: PathBuf,
        /// Who holds it.
        holder: String,
    },

    /// The directory's plan is another sweep's.
    #[error("{} holds the plan of {planned}, which is another sweep than {sweep}", dir.display())]
    #[diagnostic(help("leave out --sweep, or name the --out of its run; nothing was touched"))]
    OtherPlan {
        /// The run directory.
        dir: PathBuf,
        /// The sweep that is planned there.
        planned: String,
        /// What was asked for.
        sweep: String,
    },

    /// A plan has no row of this index.
    #[error("the plan of {} has no row of index {index}", dir.display())]
    #[diagnostic(help("it has {rows}, counted from 0"))]
    NoTask {
        /// The run directory.
        dir: PathBuf,
        /// What was asked for.
        index: u64,
        /// How many it has.
        rows: usize,
    },

    /// Nothing to continue, by name.
    #[error("no run of {sweep} on {device} to resume in runs")]
    #[diagnostic(help("name it with --out"))]
    NoRunToResume {
        /// The sweep.
        sweep: String,
        /// The kind of device.
        device: &'static str,
    },

    /// There is no directory to continue in.
    #[error("there is no run of {sweep} to resume: no directory {}", dir.display())]
    #[diagnostic(help(
        "leave out --resume to begin it, or name the --out of its run; nothing was touched"
    ))]
    NoDirectory {
        /// The sweep.
        sweep: String,
        /// The run directory.
        dir: PathBuf,
    },

    /// No sweep has begun in the directory.
    #[error("no sweep has begun in {}", dir.display())]
    #[diagnostic(help(
        "leave out --resume to begin it, or name the --out of its run; nothing was touched"
    ))]
    NotBegun {
        /// The run directory.
        dir: PathBuf,
    },

    /// The directory holds rows that the sweep does not have.
    #[error("{} holds another sweep than {sweep}, with a row {row}", dir.display())]
    #[diagnostic(help(
        "leave out --resume to begin it, or name the --out of its run; nothing was touched"
    ))]
    OtherSweep {
        /// The run directory.
        dir: PathBuf,
        /// The sweep.
        sweep: String,
        /// A row that it does not have.
        row: String,
    },

    /// A row of the directory was measured with other settings than the sweep's.
    #[error("{} is of another sweep than {sweep}: it holds {held}, and row {row} is {wanted}", dir.display())]
    #[diagnostic(help(
        "leave out --resume to begin it, or name the --out of its run; nothing was touched"
    ))]
    OtherSettings {
        /// The row's directory.
        dir: PathBuf,
        /// The sweep.
        sweep: String,
        /// The row.
        row: String,
        /// What was measured: probe id, steps, step of the model.
        held: String,
        /// What the row asks for.
        wanted: String,
    },

    /// A search has nowhere to begin.
    #[error(
        "--find-max cannot search for row {id}: {NO_LEDGER}, and a search begins at a prediction"
    )]
    #[diagnostic(help(
        "name fused rows with --only, or measure single batches: vram probe --step plain"
    ))]
    Unpredicted {
        /// The row.
        id: String,
    },

    /// The device does not say how much memory it has.
    #[error("the device does not tell its memory")]
    #[diagnostic(help("name it: --vram 16GiB"))]
    MemoryUnknown,

    /// A tape that is named for the plain step.
    #[error(transparent)]
    #[diagnostic(help("leave out --tape for the plain step"))]
    Tape(#[from] NoTape),

    /// The device that was asked for cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Device(#[from] DeviceError),

    /// The executable that measures is not where it was said to be.
    #[error("{} is not there", path.display())]
    #[diagnostic(help("put it there; in the repository, leave out --no-build"))]
    NotThere {
        /// Where it should be.
        path: PathBuf,
    },

    /// The executable that measures cannot be built.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Build(Box<dyn Diagnostic + Send + Sync>),

    /// An artifact that cannot be read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] ArtifactError),

    /// The system refused.
    #[error("cannot {what}")]
    System {
        /// What was attempted, with its object.
        what: String,
        /// The system's answer.
        source: io::Error,
    },

    /// A bench has nothing to time on a card that computes nothing.
    #[error("a bench times steps, and the card is virtual: it counts memory and computes nothing")]
    #[diagnostic(help(
        "run it on a real card, without `vram dry-run`, or on the CPU: --device cpu"
    ))]
    VirtualCard,

    /// The copy bandwidth of a bench's device.
    #[error("the copy bandwidth cannot be measured: {said}")]
    Bandwidth {
        /// What the executable said.
        said: String,
    },

    /// A row of a bench did not get through: there is nothing to compare then.
    #[error("{id}: {why}")]
    BenchRow {
        /// The row.
        id: String,
        /// What became of it.
        why: String,
    },
}

impl SweepError {
    /// For an attempt that the system refused.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    /// An executable that cannot be built, with whatever error its builder has.
    pub fn build(why: impl Into<Box<dyn Diagnostic + Send + Sync>>) -> Self {
        Self::Build(why.into())
    }
}
