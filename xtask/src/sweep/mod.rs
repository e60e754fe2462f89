//! `cargo xtask sweep`: one probe process per row, then the table of predicted and measured peaks.

pub mod binary;
pub mod child;
mod interrupt;
mod lock;
pub mod plan;
mod progress;

use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::{IntoDiagnostic, miette};
use vram_cli::artifacts::{self, RunRecord};
use vram_cli::device::Choice;
use vram_cli::events::Step;
use vram_cli::report;
use vram_cli::study::{Catalogue, Line, Runs, Study, Style, Terms, constants_table, results_table};
use vram_cli::{Exit, Reply};
use vram_metrics::{DeviceFacts, Driver};
use vram_presets::Library;

use binary::Target;
use child::{Limits, Outcome};
use interrupt::Interrupt;
use lock::Lock;
use plan::{Plan, Row};
use progress::Progress;

/// Measure a sweep's rows and print predicted and measured peaks (VRA-34)
///
/// Builds the release `vram`, runs one `vram probe` process per row, and prints the table and the
/// fitted constants beside the published ones. The run directory also gets a report.
#[derive(Debug, clap::Args)]
#[command(after_help = concat!("Contracts: VRA-30 (verdict), VRA-31 (ids), VRA-32 (probe), VRA-34 (breakdown).

Examples:
  cargo xtask sweep
  cargo xtask sweep --sweep smoke
  cargo xtask sweep --only DP1,DP5
  cargo xtask sweep --resume

Exit codes:
  0  every row that ran passed
  1  a row failed or crashed
  2  usage or bad input: nothing ran
  130, 143  ended by Ctrl-C or SIGTERM; finished rows are kept, --resume continues"))]
pub struct Args {
    /// Sweep preset or file
    #[arg(long, value_name = "NAME|FILE", default_value = "vra34")]
    sweep: String,
    /// Where rows run: auto (a card if there is one), cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_parser = str::parse::<Choice>)]
    device: Choice,
    /// Compute capability to build the CUDA probe for [default: the card's]
    #[arg(long, value_name = "X.Y")]
    compute_cap: Option<String>,
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
    /// End a row's process after this long; it counts as lost
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    row_timeout: Option<u64>,
    /// Use the `vram` beside this executable instead of building it
    #[arg(long)]
    no_build: bool,
}

/// What became of a row.
enum Fate {
    Measured(Box<RunRecord>),
    /// Predicted not to fit, and not run.
    Predicted,
    /// Crashed or refused, with the reason.
    Lost(String),
    /// The sweep was ended before or while it ran.
    NotRun,
}

pub fn run(args: &Args) -> miette::Result<Reply> {
    let here = std::env::current_dir().into_diagnostic()?;
    let library = Library::discover(&here);
    let sweep = library.sweep(&args.sweep)?.spec;
    let catalogue = Catalogue::new(&library);
    let rows = plan::select(&sweep, &args.only)?;
    let target = Target::choose(args.device, !args.no_build)?;
    let dir = run_dir(args, target.label(), &sweep.name)?;
    lock::refuse_held(&dir)?;
    let plan = Plan::new(&library, target.kind(), rows, &dir)?;
    if !args.resume {
        plan.refuse_occupied()?;
    }
    let probe = target.executable(args.compute_cap.as_deref())?;
    eprintln!("run directory: {}", dir.display());
    let _lock = Lock::take(&dir)?;
    let interrupt = Interrupt::catch()?;
    let timeout = args.row_timeout.map(Duration::from_secs);
    let limits = Limits { interrupt, timeout };
    let fates = measure(args, &plan, &target, &probe, &limits)?;
    let reply = finish(&library, &catalogue, &plan, fates, &dir)?;
    Ok(Reply { exit: limits.interrupt.exit().unwrap_or(reply.exit), ..reply })
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

/// Runs every row that has to run.
fn measure(
    args: &Args,
    plan: &Plan,
    target: &Target,
    probe: &Path,
    limits: &Limits,
) -> miette::Result<Vec<Fate>> {
    let mut progress = Progress::new(&plan.rows);
    let mut fates = Vec::new();
    for row in &plan.rows {
        let finished = args.resume.then(|| row.finished()).flatten();
        let fate = match finished {
            Some(record) => {
                progress.skip(row, "finished before");
                Fate::Measured(Box::new(record))
            }
            None if limits.interrupt.exit().is_some() => Fate::NotRun,
            None => {
                if !args.no_preflight && !row.fits(available(target)) {
                    progress.skip(row, "predicted not to fit, not run");
                    Fate::Predicted
                } else {
                    row.set_aside()?;
                    measure_row(row, target, probe, limits, &mut progress)?
                }
            }
        };
        fates.push(fate);
    }
    progress.finish();
    Ok(fates)
}

/// Bytes that are free on the device now, as far as it says.
pub fn available(target: &Target) -> Option<u64> {
    match &target.card {
        None => DeviceFacts::host().available_bytes,
        Some(card) => {
            let driver = Driver::open().and_then(|driver| driver.version()).unwrap_or_default();
            DeviceFacts::card(card, driver).available_bytes
        }
    }
}

fn measure_row(
    row: &Row,
    target: &Target,
    probe: &Path,
    limits: &Limits,
    progress: &mut Progress,
) -> miette::Result<Fate> {
    progress.start(row);
    let device = target.choice().to_string();
    let observe = &mut |step: &Step| progress.step(row, step);
    let outcome = child::run(probe, row, &device, limits, observe)?;
    let fate = match outcome {
        Outcome::Exited => match artifacts::read(&row.dir) {
            Ok(record) => Fate::Measured(Box::new(record)),
            Err(error) => Fate::Lost(format!("left no readable artifacts: {error}")),
        },
        Outcome::Lost(why) => Fate::Lost(why),
        Outcome::Interrupted => Fate::NotRun,
    };
    match &fate {
        Fate::Measured(record) => progress.done(row, record),
        Fate::Predicted | Fate::NotRun => {}
        Fate::Lost(why) => progress.lost(row, why),
    }
    Ok(fate)
}

/// The table, after the report is written and it is said how it went.
fn finish(
    library: &Library,
    catalogue: &Catalogue,
    plan: &Plan,
    fates: Vec<Fate>,
    dir: &Path,
) -> miette::Result<Reply> {
    let mut runs = Runs::default();
    let mut unmeasured = Vec::new();
    let mut failed = Vec::new();
    for (row, fate) in plan.rows.iter().zip(fates) {
        let line = |note: String| Line::unmeasured(&row.id, &row.spec, row.predicted(), note);
        match fate {
            Fate::Measured(record) => {
                if !record.metrics.stability_pass {
                    failed.push(format!("{}: {}", row.id, record.metrics.fail_reasons.join(", ")));
                }
                runs.records.push(*record);
            }
            Fate::Predicted => {
                unmeasured.push(line("predicted only: does not fit this machine".to_owned()));
            }
            Fate::NotRun => {
                unmeasured.push(line("not run: the sweep was interrupted".to_owned()));
                failed.push(format!("{}: interrupted", row.id));
            }
            Fate::Lost(why) => {
                unmeasured.push(line(why.clone()));
                failed.push(format!("{}: {why}", row.id));
            }
        }
    }
    let mut text = String::new();
    for (terms, title) in [
        (Terms::Ring, "published model, a line per tier (--terms ring)"),
        (Terms::RingStateToken, "pooled over tiers (--terms ring,state,token)"),
    ] {
        let study = Study::new(&runs, terms)?;
        let mut lines = study.lines(catalogue);
        if terms == Terms::Ring {
            lines.extend(unmeasured.iter().cloned());
        }
        text += &format!("\n{title}\n{}\n", results_table(&lines, Style::Terminal));
        text += &constants_table(&study, catalogue, Style::Terminal);
        if terms == Terms::Ring {
            for (id, reason) in &study.excluded {
                text += &format!("excluded {id}: {reason}\n");
            }
        }
    }
    if !runs.records.is_empty() {
        report::write(&runs, library, dir)?;
        eprintln!("\nreport: {}", dir.join(report::names::REPORT).display());
    }
    if failed.is_empty() {
        return Ok(Reply::done(text));
    }
    for row in &failed {
        eprintln!("failed {row}");
    }
    eprintln!("the finished rows are kept: cargo xtask sweep --out {} --resume", dir.display());
    Ok(Reply { text, exit: Exit::Failed })
}
