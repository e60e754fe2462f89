//! The sweep of `vram` and `cargo xtask`: its options, what is shown of it, and its reply.

use std::path::PathBuf;
use std::time::Duration;

use vram_launch::choice::DevicesChoice;
use vram_presets::library::Library;
use vram_sweep::device::Executables;
use vram_sweep::event::Event;
use vram_sweep::planned::Carried;
use vram_sweep::preflight::Preflight;
use vram_sweep::sweep::{self, Options, Results, Task};

use crate::exit::Exit;
use crate::list_format::ListFormat;
use crate::reply::Reply;
use crate::shown::Shown;
use crate::slurm;
use crate::slurm::flags::ClusterFlags;
use crate::slurm::submit::Submission;
use crate::summary;
use crate::vram_size::VramSize;

/// The sweep where none is named.
const DEFAULT: &str = "vra34";

/// The options of a sweep.
#[derive(Debug, Clone, clap::Args)]
pub struct SweepFlags {
    /// Sweep preset or file [default: vra34]
    #[arg(long, value_name = "NAME|FILE")]
    sweep: Option<String>,
    /// Where to run: auto (a card if there is one), cpu, cuda or cuda:N; on several cards, one row on each
    /// at a time: cuda:all or cuda:0,2
    #[arg(long, value_name = "DEVICE", default_value_t, value_parser = str::parse::<DevicesChoice>)]
    device: DevicesChoice,
    /// Run only these rows, on-demand ones included
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Run directory [default: runs/TIME-DEVICE-SWEEP, TIME in UTC]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Keep the finished rows of --out, or of this sweep's newest run, and do the rest
    #[arg(long)]
    resume: bool,
    /// Measure these rows of --out, or of this sweep's newest run, again: failed or disturbed ones,
    /// say. Implies --resume; what was there is moved aside
    #[arg(long, value_name = "ID", value_delimiter = ',', conflicts_with = "find_max")]
    redo: Vec<String>,
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
    vram: VramSize,
    /// End a row's process after this long; it counts as lost
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    row_timeout: Option<u64>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    #[command(flatten)]
    cluster: ClusterFlags,
}

impl SweepFlags {
    /// What is to be submitted, in place of being measured here.
    fn submission<'a>(&'a self, program: &'a str) -> Submission<'a> {
        Submission {
            program,
            sweep: self.sweep.as_deref(),
            default: DEFAULT,
            device: &self.device,
            only: &self.only,
            out: self.out.as_deref(),
            resume: self.resume || !self.redo.is_empty(),
            redo: &self.redo,
            no_preflight: self.no_preflight,
            row_timeout: self.row_timeout.map(Duration::from_secs),
            format: self.format,
            cluster: &self.cluster,
        }
    }

    fn options(&self) -> Options {
        let task = match (self.find_max, self.vram, self.no_preflight) {
            (true, VramSize::Auto, _) => Task::FindMax(None),
            (true, VramSize::Bytes(bytes), _) => Task::FindMax(Some(bytes)),
            (false, _, true) => Task::Measure(Preflight::Tell),
            (false, _, false) => Task::Measure(Preflight::Skip),
        };
        Options {
            sweep: self.sweep.clone().unwrap_or_else(|| DEFAULT.to_owned()),
            devices: self.device.clone(),
            only: self.only.clone(),
            out: self.out.clone(),
            resume: self.resume || !self.redo.is_empty(),
            redo: self.redo.clone(),
            task,
            row_timeout: self.row_timeout.map(Duration::from_secs),
        }
    }
}

/// What `--help` of a sweep says after its options.
pub fn after_help(program: &str) -> String {
    format!(
        "Contracts: VRA-30 (verdict), VRA-31 (ids), VRA-32 (probe), VRA-34 (breakdown).

Examples:
  {program} sweep
  {program} sweep --sweep smoke
  {program} sweep --only DP1,DP5
  {program} sweep --device cuda:all
  {program} sweep --resume
  {program} sweep --out runs/mine --redo DP1,DP5
  {program} sweep --find-max --only DP1
  {program} sweep --find-max --vram 16GiB
  {program} sweep --format csv > table.csv
  {program} sweep --submit slurm --gres gpu:h100:1 --max-parallel 8 -- --qos=long
  {program} sweep --collect runs/mine --wait

{}",
        Exit::table()
    )
}

/// Runs a sweep, shows how it goes, and returns its tables. `program` is what a person types to run
/// it again, `carried` what tasks elsewhere are done with.
///
/// # Errors
///
/// What is refused before anything runs.
pub fn run(
    program: &str,
    flags: &SweepFlags,
    library: &Library,
    executables: Executables<'_>,
    carried: Carried<'_>,
) -> miette::Result<Reply> {
    if let (Some(index), Some(dir)) = (flags.cluster.row_index, &flags.cluster.dir) {
        return slurm::row::run(dir, index);
    }
    if let Some(dir) = &flags.cluster.collect {
        return slurm::collect::run(program, dir, flags.cluster.wait, flags.format);
    }
    if flags.cluster.submit.is_some() {
        return slurm::submit::run(&flags.submission(program), library, carried);
    }
    let mut shown = Shown::default();
    let listen = &mut |event: Event<'_>| shown.on(event);
    let finished = sweep::run(&flags.options(), library, executables, listen)?;
    let reply = match finished.results {
        Results::Rows(rows) => {
            summary::of_rows(program, flags.format, library, rows, &finished.dir)
        }
        Results::Largest(searches, limit) => {
            summary::of_searches(program, flags.format, library, searches, &limit, &finished.dir)
        }
    };
    Ok(Reply { exit: finished.signal.map_or(reply.exit, Exit::from), ..reply })
}
