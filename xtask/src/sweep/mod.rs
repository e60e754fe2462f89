//! `cargo xtask sweep`: one probe process per row, then the table of predicted and measured peaks.

pub mod binary;
mod boundary;
pub mod child;
mod find_max;
mod finish;
mod interrupt;
mod lock;
pub mod plan;
mod progress;
mod resume;
pub mod room;
mod rows;

use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::{IntoDiagnostic, miette};
use vram_cli::args::Vram;
use vram_cli::device::Choice;
use vram_cli::room::{Limit, Room};
use vram_cli::study::Catalogue;
use vram_cli::{Exit, Reply, terminal};
use vram_metrics::VRAM_GUARD_RATIO;
use vram_presets::Library;

use binary::{Capability, Target};
use child::Limits;
use find_max::Searches;
use interrupt::Interrupt;
use lock::Lock;
use plan::Plan;
use rows::{Preflight, Runner};

/// Measure a sweep's rows and print predicted and measured peaks (VRA-34)
///
/// Builds the release `vram`, runs one `vram probe` process per row, and prints the table and the
/// fitted constants beside the published ones. The run directory also gets a report.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("Contracts: VRA-30 (verdict), VRA-31 (ids), VRA-32 (probe), VRA-34 (breakdown).

Examples:
  cargo xtask sweep
  cargo xtask sweep --sweep smoke
  cargo xtask sweep --only DP1,DP5
  cargo xtask sweep --resume
  cargo xtask sweep --find-max --only DP1
  cargo xtask sweep --find-max --vram 16GiB

{}", Exit::table()))]
pub struct Args {
    /// Sweep preset or file
    #[arg(long, value_name = "NAME|FILE", default_value = "vra34")]
    sweep: String,
    /// Where rows run: auto (a card if there is one), cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_parser = str::parse::<Choice>)]
    device: Choice,
    /// Compute capability to build the CUDA probe for [default: the card's]
    #[arg(long, value_name = "X.Y", value_parser = str::parse::<Capability>)]
    compute_cap: Option<Capability>,
    /// Run only these rows, on-demand ones included
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Run directory [default: runs/TIME-DEVICE-SWEEP, TIME in UTC]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Keep the finished rows of --out, or of this sweep's newest run, and do the rest
    #[arg(long)]
    resume: bool,
    /// Run rows that are predicted not to fit
    #[arg(long)]
    no_preflight: bool,
    /// Instead of measuring the rows, find the largest batch of each of their workloads whose
    /// measured reserved is within the guard, and within what the device has beside a context
    #[arg(long, conflicts_with = "no_preflight")]
    find_max: bool,
    /// With --find-max: the memory to stay within, a size such as 16GiB, a number of bytes, or auto
    /// for the device's own without what others hold of it now
    #[arg(long, value_name = "SIZE|auto", requires = "find_max", default_value = "auto")]
    vram: Vram,
    /// End a row's process after this long; it counts as lost
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    row_timeout: Option<u64>,
    /// Use the `vram` beside this executable instead of building it
    #[arg(long)]
    no_build: bool,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    let here = std::env::current_dir().into_diagnostic()?;
    let library = Library::discover(&here);
    let sweep = library.sweep(&args.sweep)?.spec;
    let catalogue = Catalogue::new(&library);
    let rows = plan::select(&sweep, &args.only)?;
    let target = Target::choose(args.device, !args.no_build, &library)?;
    let dir = run_dir(args, target.kind().name(), &sweep.name)?;
    lock::refuse_held(&dir)?;
    let plan = Plan::new(&library, target.kind(), rows.clone(), &dir)?;
    if args.resume {
        resume::refuse_another(&library, &sweep, args.find_max, &dir)?;
    } else {
        plan.refuse_occupied()?;
    }
    if args.find_max {
        find_max::refuse_unpredicted(&plan.rows)?;
    }
    let limit = args.find_max.then(|| limited_to(args.vram, &target)).transpose()?;
    let probe = target.executable(args.compute_cap)?;
    terminal::say(&format!("run directory: {}", dir.display()));
    let _lock = Lock::take(&dir)?;
    let interrupt = Interrupt::catch()?;
    let timeout = args.row_timeout.map(Duration::from_secs);
    let limits = Limits { interrupt: interrupt.clone(), timeout };
    let preflight = match (limit, args.no_preflight) {
        (Some(_), _) => Preflight::Trust,
        (None, true) => Preflight::Tell,
        (None, false) => Preflight::Skip,
    };
    let runner = Runner { target, probe, limits, resume: args.resume, preflight };
    let reply = match limit {
        Some(limit) => {
            Searches { runner: &runner, library: &library, dir: &dir, limit }.run(&rows)?
        }
        None => {
            let fates = runner.measure(&plan.rows);
            finish::finish(&library, &catalogue, &plan.rows, fates, &dir)
        }
    };
    Ok(Reply { exit: interrupt.exit().unwrap_or(reply.exit), ..reply })
}

/// The most that a batch may reserve whose boundary is searched.
fn limited_to(vram: Vram, target: &Target) -> miette::Result<Limit> {
    let room = match vram {
        Vram::Bytes(bytes) => Some(Room::empty(bytes, target.context)),
        Vram::Auto => target.room(),
    };
    room.map(|room| room.limit(VRAM_GUARD_RATIO)).ok_or_else(|| {
        miette!(help = "name it: --vram 16GiB", "the device does not tell its memory")
    })
}

/// `--out`, or a directory named after now, or the newest of this sweep.
fn run_dir(args: &Args, device: &str, sweep: &str) -> miette::Result<PathBuf> {
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    let suffix = format!("-{device}-{sweep}");
    if !args.resume {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        return Ok(Path::new("runs").join(format!("{now}{suffix}")));
    }
    let entries = std::fs::read_dir("runs").into_iter().flatten().flatten();
    let newest = entries.map(|e| e.path()).filter(|p| p.to_string_lossy().ends_with(&suffix)).max();
    newest.ok_or_else(|| {
        miette!(help = "name it with --out", "no run of {sweep} on {device} to resume in runs")
    })
}
