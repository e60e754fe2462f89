//! `--submit`: rows of a plan, one task each.

use std::path::Path;
use std::time::Duration;

use miette::bail;
use serde_json::json;
use vram_launch::choice::{DeviceChoice, DevicesChoice};
use vram_presets::library::Library;
use vram_report::csv_text::csv_of;
use vram_sweep::error::SweepError;
use vram_sweep::planned::{self, Carried, Planned};
use vram_sweep::slurm::collected::{Found, collect};
use vram_sweep::slurm::error::SlurmError;
use vram_sweep::slurm::submit::{self, Options};
use vram_workload::device_kind::DeviceKind;

use crate::exit::Exit;
use crate::list_format::ListFormat;
use crate::reply::Reply;
use crate::slurm::collect;
use crate::slurm::flags::ClusterFlags;
use crate::summary::command;
use crate::terminal;

/// What is to be submitted.
pub(crate) struct Submission<'a> {
    pub(crate) program: &'a str,
    pub(crate) sweep: Option<&'a str>,
    pub(crate) default: &'a str,
    pub(crate) device: &'a DevicesChoice,
    pub(crate) only: &'a [String],
    pub(crate) out: Option<&'a Path>,
    pub(crate) resume: bool,
    pub(crate) redo: &'a [String],
    pub(crate) no_preflight: bool,
    pub(crate) row_timeout: Option<Duration>,
    pub(crate) format: ListFormat,
    pub(crate) cluster: &'a ClusterFlags,
}

/// What a task on a card asks for where nobody says.
const ONE_CARD: &str = "gpu:1";

/// Plans a sweep, or takes up its plan, submits the rows without results, and says how to collect them.
pub(crate) fn run(
    wanted: &Submission<'_>,
    library: &Library,
    carried: Carried<'_>,
) -> miette::Result<Reply> {
    let kind = kind(wanted)?;
    let mut planned = match wanted.resume {
        true => planned::reopen(wanted.out, wanted.sweep, wanted.default, kind, library)?,
        false => planned::write(&plan(wanted, kind), library, carried)?,
    };
    terminal::say(&format!("run directory: {}", planned.dir.display()));
    let tasks = match wanted.resume {
        true => match undone(wanted, &mut planned) {
            Ok(tasks) => tasks,
            Err(why) => return by_hand(wanted.program, why, &planned),
        },
        false => planned.plan.rows.iter().map(|task| task.index).collect(),
    };
    let cluster = wanted.cluster;
    let one_card = (planned.kind == DeviceKind::Cuda).then(|| ONE_CARD.to_owned());
    let options = Options {
        partition: cluster.partition.clone(),
        gres: cluster.gres.clone().or(one_card),
        max_parallel: cluster.max_parallel,
        words: cluster.words.clone(),
    };
    let mut jobs = Vec::new();
    let submitted = submit::submit(&planned, &tasks, &options, &mut |job| {
        jobs.push(job.clone());
    });
    if let Err(why) = submitted {
        for job in jobs {
            terminal::warn(&format!("submitted before that: job {}, {}", job.job_id, job.tasks));
        }
        return by_hand(wanted.program, why, &planned);
    }
    if cluster.wait {
        return collect::run(wanted.program, &planned.dir, true, wanted.format);
    }
    let words = ["sweep", "--collect", &planned.dir.display().to_string()].map(str::to_owned);
    let collect = command(wanted.program, words.into_iter());
    let records = jobs
        .iter()
        .map(|job| json!({ "job_id": job.job_id, "offset": job.offset, "tasks": job.tasks }));
    let records: Vec<_> = records.collect();
    let text = match wanted.format {
        ListFormat::Table => {
            let lines = jobs.iter().map(|job| format!("job {}: tasks {}\n", job.job_id, job.tasks));
            format!("{}collect: {collect}\n", lines.collect::<String>())
        }
        ListFormat::Json => {
            let json = json!({ "dir": planned.dir, "jobs": records, "collect": collect });
            format!("{json:#}\n")
        }
        ListFormat::Csv => csv_of(&["job_id", "offset", "tasks"], &records),
    };
    Ok(Reply::done(text))
}

/// The kind of device that tasks run on. What this machine has says nothing about that.
fn kind(wanted: &Submission<'_>) -> miette::Result<DeviceKind> {
    match (wanted.device, &wanted.cluster.gres) {
        (DevicesChoice::One(DeviceChoice::Cpu), _) => Ok(DeviceKind::Cpu),
        (DevicesChoice::One(DeviceChoice::Auto), None) => {
            terminal::say("device: cpu (cards are asked for with --gres gpu:1, or --device cuda)");
            Ok(DeviceKind::Cpu)
        }
        (DevicesChoice::One(DeviceChoice::Auto), Some(_))
        | (DevicesChoice::One(DeviceChoice::Cuda(0)), _) => Ok(DeviceKind::Cuda),
        (device, _) => bail!(
            help = "--gres gpu:h100:1 says what a task gets, and --device cuda that it is a card",
            "--device {device}: which card a task gets is for the scheduler to say"
        ),
    }
}

fn plan(wanted: &Submission<'_>, kind: DeviceKind) -> planned::Options {
    planned::Options {
        sweep: wanted.sweep.unwrap_or(wanted.default).to_owned(),
        kind,
        only: wanted.only.to_vec(),
        out: wanted.out.map(Path::to_owned),
        no_preflight: wanted.no_preflight,
        row_timeout: wanted.row_timeout,
    }
}

/// The rows of a plan that have to be submitted again. Those that are to be measured again are set
/// aside; those whose tasks are waiting or running are left alone.
fn undone(wanted: &Submission<'_>, planned: &mut Planned) -> Result<Vec<u64>, SlurmError> {
    let known = |id: &&String| planned.rows.iter().any(|row| row.id == **id);
    if let Some(row) = wanted.only.iter().chain(wanted.redo).find(|id| !known(id)) {
        return Err(SlurmError::Sweep(SweepError::NoRow {
            sweep: planned.plan.sweep.clone(),
            row: row.clone(),
            known: planned.rows.iter().map(|row| row.id.clone()).collect(),
        }));
    }
    let collected = collect(planned)?;
    if let Some(why) = collected.unasked {
        return Err(why);
    }
    let mut undone = Vec::new();
    let mut active = 0;
    let tasks = planned.plan.rows.iter().map(|task| task.index);
    for ((index, row), found) in tasks.zip(&planned.rows).zip(&collected.found) {
        let is_redone = wanted.redo.contains(&row.id);
        if !is_redone && !wanted.only.is_empty() && !wanted.only.contains(&row.id) {
            continue;
        }
        match found {
            Found::Measured(_) if !is_redone => continue,
            Found::Nothing(missing) if missing.is_active() => {
                active += 1;
                continue;
            }
            Found::Measured(_) => row.set_aside()?,
            Found::DoesNotFit(_) | Found::Nothing(_) => {}
        }
        undone.push(index);
    }
    if active > 0 {
        terminal::say(&format!("{active} rows wait or run, and are not submitted again"));
    }
    if undone.is_empty() {
        terminal::say("nothing is left to submit");
    }
    Ok(undone)
}

/// A plan whose rows Slurm does not take can be done without it.
fn by_hand(program: &str, why: SlurmError, planned: &Planned) -> miette::Result<Reply> {
    let dir = planned.dir.display().to_string();
    if !matches!(why, SlurmError::NoCommand { .. }) {
        let words = ["sweep", "--submit", "slurm", "--resume", "--out", &dir].map(str::to_owned);
        let again = command(program, words.into_iter());
        terminal::warn(&format!("the plan is kept, and is submitted by: {again}"));
        return Err(why.into());
    }
    // It fails only for a NUL, which no path holds.
    let dir = shlex::try_quote(&dir).map_or(dir.clone(), std::borrow::Cow::into_owned);
    let last = planned.rows.len().saturating_sub(1);
    terminal::warn(&format!(
        "{why}. The rows are planned, and anything that runs a command for each of 0 to {last} can do \
         them:"
    ));
    let task = format!("{dir}/bin/vram sweep --row-index");
    Ok(Reply {
        text: format!(
            "one row:       {task} N {dir}\n\
             GNU parallel:  seq 0 {last} | parallel -j 2 {task} {{}} {dir}\n\
             HyperQueue:    hq submit --array 0-{last} -- sh -c '{task} $HQ_TASK_ID {dir}'\n"
        ),
        exit: Exit::Failed,
    })
}
