//! Rows of a plan, submitted as job arrays.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use vram_artifacts::atomic::write_atomically;
use vram_artifacts::slurm_jobs::{SlurmJob, SlurmJobs};
use vram_workload::device_kind::DeviceKind;

use crate::error::SweepError;
use crate::plan::Row;
use crate::planned::Planned;
use crate::slurm::command;
use crate::slurm::error::SlurmError;
use crate::slurm::index_list::IndexList;

/// What a job asks for beside what its rows need.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The partition.
    pub partition: Option<String>,
    /// The cards of a task.
    pub gres: Option<String>,
    /// The most tasks that run at one time.
    pub max_parallel: Option<u64>,
    /// Other words for `sbatch`, which come last and so overrule.
    pub words: Vec<String>,
}

/// Folder of a run directory that holds the job's script and its logs, `JOB_TASK.log`.
pub const FOLDER: &str = "slurm";

const SCRIPT: &str = "slurm/task.sh";

/// Slurm keeps a copy of the script elsewhere, and starts that in the run directory.
const TASK: &str = "#!/bin/sh
# The row of plan.json whose index is the first argument and the task's number together.
exec bin/vram sweep --row-index $(($1 + SLURM_ARRAY_TASK_ID)) .
";

/// Tasks of one array at most: each may be named in the command's arguments.
const LARGEST_ARRAY: u64 = 10_000;

/// Where Slurm does not say how large an array may be, what it is where nobody set it.
const DEFAULT_ARRAY: u64 = 1001;

/// What a task holds of the host's memory beside what its row's step reserves there: the processes of
/// the task and of the probe, 27 and 10 MiB at most where it was measured (docs/fleet.md), and room for
/// a prediction that is too low.
const PROCESS_BYTES: u64 = 256 << 20;

/// What a task holds of the host's memory whose row is on a card: CUDA's libraries, the driver's
/// mappings and its context. On an H200 a probe held 355 to 372 MiB at most with 0.3 to 111 GiB on the
/// card, and 731 MiB with the plain step (docs/fleet.md); a driver may differ.
const CARD_HOST_BYTES: u64 = 2 << 30;

/// Slurm ends a task when its time is up; before that the task is to end its row, and say so.
const TIME_TO_END_S: u64 = 30;

/// Submits these tasks of a plan. What was submitted is written into the run directory after each
/// job, and told.
///
/// # Errors
///
/// Slurm is not here, or refuses a job; those before it are submitted.
pub fn submit(
    planned: &Planned,
    indexes: &[u64],
    options: &Options,
    tell: &mut dyn FnMut(&SlurmJob),
) -> Result<(), SlurmError> {
    // Slurm's own path of a directory is what its machines call it: links in it stay as they are.
    let dir = std::path::absolute(&planned.dir).map_err(SweepError::system("find this place"))?;
    let most = largest_array(&dir)?;
    let folder = dir.join(FOLDER);
    std::fs::create_dir_all(&folder)
        .map_err(SweepError::system(format!("make {}", folder.display())))?;
    write_atomically(&dir.join(SCRIPT), TASK.as_bytes())?;
    let rows: HashMap<u64, &Row> =
        planned.plan.rows.iter().map(|task| task.index).zip(&planned.rows).collect();
    let mut jobs = SlurmJobs::read(&dir)?;
    let mut before = None;
    for (offset, tasks) in arrays(indexes, most) {
        let of_array = tasks.iter().filter_map(|task| rows.get(&(offset + task)).copied());
        let list: IndexList = tasks.iter().copied().collect();
        let job = Job {
            list: &list,
            offset,
            memory: host_memory(planned.kind, of_array),
            // The limit is of all tasks together: one array after another keeps to it.
            after: options.max_parallel.and(before),
        };
        let words = job.words(planned, options, &dir);
        let said = command::output("sbatch", &words, &dir)?;
        // The job, and the cluster where there are several.
        let id = said.trim().split(';').next().and_then(|id| id.parse().ok());
        let Some(job_id) = id else {
            return Err(SlurmError::Odd { program: "sbatch", said });
        };
        before = Some(job_id);
        let submitted_utc = jiff::Timestamp::now().to_string();
        let job = SlurmJob { job_id, offset, tasks: list.to_string(), submitted_utc };
        jobs.jobs.push(job.clone());
        jobs.write(&dir)?;
        tell(&job);
    }
    Ok(())
}

/// One array.
struct Job<'a> {
    list: &'a IndexList,
    offset: u64,
    memory: Option<u64>,
    after: Option<u64>,
}

impl Job<'_> {
    /// The arguments of `sbatch`.
    fn words(&self, planned: &Planned, options: &Options, dir: &Path) -> Vec<String> {
        let most = options.max_parallel.map_or(String::new(), |most| format!("%{most}"));
        let mut words = vec![
            "--parsable".to_owned(),
            format!("--job-name=vram-{}", planned.plan.sweep),
            format!("--chdir={}", dir.display()),
            format!("--output={FOLDER}/%A_%a.log"),
            // A task that is begun again goes on in the log that it has.
            "--open-mode=append".to_owned(),
            "--ntasks=1".to_owned(),
            format!("--array={}{most}", self.list),
        ];
        let minutes =
            planned.plan.row_timeout_s.map(|s| s.saturating_add(TIME_TO_END_S).div_ceil(60));
        let named = [
            ("--partition", options.partition.clone()),
            ("--gres", options.gres.clone()),
            ("--time", minutes.map(|minutes| minutes.to_string())),
            ("--mem", self.memory.map(|bytes| format!("{}M", bytes.div_ceil(1 << 20)))),
            ("--dependency", self.after.map(|job| format!("afterany:{job}"))),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        words.extend(named.map(|(name, value)| format!("{name}={value}")));
        words.extend(options.words.iter().cloned());
        words.extend([SCRIPT.to_owned(), self.offset.to_string()]);
        words
    }
}

/// What a task may need of the host's memory, in bytes: an array has one limit for all of its tasks.
/// None where nothing is predicted of one; the cluster's own limit holds then.
fn host_memory<'a>(kind: DeviceKind, mut rows: impl Iterator<Item = &'a Row>) -> Option<u64> {
    match kind {
        DeviceKind::Cuda => Some(CARD_HOST_BYTES),
        DeviceKind::Cpu => rows
            .try_fold(0, |most, row| Some(row.predicted()?.max(most)))
            .map(|bytes| bytes.saturating_add(PROCESS_BYTES)),
    }
}

/// The tasks of each array that is needed, by its offset. A task's number is below `most`.
fn arrays(indexes: &[u64], most: u64) -> BTreeMap<u64, Vec<u64>> {
    let mut arrays: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for index in indexes {
        arrays.entry(index / most * most).or_default().push(index % most);
    }
    arrays
}

/// How many tasks an array may have: numbers below that are a task's.
fn largest_array(dir: &Path) -> Result<u64, SlurmError> {
    let config = command::output("scontrol", ["show", "config"], dir).unwrap_or_else(|why| {
        tracing::debug!("MaxArraySize is not known: {why}");
        String::new()
    });
    match max_array_size(&config).unwrap_or(DEFAULT_ARRAY).min(LARGEST_ARRAY) {
        most @ 0..=1 => Err(SlurmError::NoArrays { most }),
        most => Ok(most),
    }
}

/// What `scontrol show config` says of it.
fn max_array_size(config: &str) -> Option<u64> {
    let mut pairs = config.lines().filter_map(|line| line.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == "MaxArraySize")?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vram_presets::library::Library;

    use super::*;
    use crate::planned;

    fn planned(kind: DeviceKind, row_timeout: Option<u64>, out: &Path) -> Planned {
        let options = planned::Options {
            sweep: "vra34".to_owned(),
            kind,
            only: Vec::new(),
            out: Some(out.to_owned()),
            no_preflight: false,
            row_timeout: row_timeout.map(std::time::Duration::from_secs),
        };
        planned::write(&options, &Library::built_in(), &|_| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn a_job_asks_for_what_its_rows_need() {
        let dir = tempfile::tempdir().unwrap();
        let planned = planned(DeviceKind::Cpu, Some(90), dir.path());
        let options = Options {
            partition: Some("short".to_owned()),
            max_parallel: Some(4),
            words: vec!["--mem=9G".to_owned()],
            ..Options::default()
        };
        let list: IndexList = [0, 1, 2, 7].into_iter().collect();
        let memory = host_memory(planned.kind, planned.rows.iter());
        let largest = planned.rows.iter().filter_map(Row::predicted).max().unwrap();
        assert_eq!(memory, Some(largest + PROCESS_BYTES));
        let job = Job { list: &list, offset: 1001, memory, after: Some(12) };
        let words = job.words(&planned, &options, "/shared/run".as_ref()).join(" ");
        let mebibytes = memory.unwrap().div_ceil(1 << 20);
        assert_eq!(
            words,
            format!(
                "--parsable --job-name=vram-vra34 --chdir=/shared/run --output=slurm/%A_%a.log \
                 --open-mode=append --ntasks=1 --array=0-2,7%4 --partition=short --time=2 \
                 --mem={mebibytes}M --dependency=afterany:12 --mem=9G slurm/task.sh 1001"
            )
        );
    }

    #[test]
    fn a_row_on_a_card_takes_no_host_memory_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let planned = planned(DeviceKind::Cuda, None, dir.path());
        let memory = host_memory(planned.kind, planned.rows.iter());
        assert_eq!(memory, Some(CARD_HOST_BYTES));
        let list: IndexList = [3].into_iter().collect();
        let job = Job { list: &list, offset: 0, memory, after: None };
        let options = Options { gres: Some("gpu:h100:1".to_owned()), ..Options::default() };
        let words = job.words(&planned, &options, "/run".as_ref()).join(" ");
        assert!(
            words.ends_with("--array=3 --gres=gpu:h100:1 --mem=2048M slurm/task.sh 0"),
            "{words}"
        );
    }

    /// As `scontrol show config` writes it.
    #[test]
    fn the_largest_array_is_the_clusters() {
        let config = "MailProg                = /bin/mail\nMaxArraySize            = 1001\n\
                      MaxBatchRequeue         = 5\n";
        assert_eq!(max_array_size(config), Some(1001));
        assert_eq!(max_array_size("Configuration data as of 2026-12-01\n"), None);
    }

    proptest! {
        #[test]
        fn every_row_is_a_task_of_one_array(
            indexes in proptest::collection::btree_set(0..5000u64, 1..200),
            most in 2..2000u64,
        ) {
            let indexes: Vec<u64> = indexes.into_iter().collect();
            let arrays = arrays(&indexes, most);
            let tasks = arrays.iter().flat_map(|(offset, tasks)| tasks.iter().map(move |t| (offset, t)));
            let mut again = Vec::new();
            for (offset, task) in tasks {
                prop_assert!(*task < most);
                again.push(offset + task);
            }
            prop_assert_eq!(again, indexes);
        }
    }
}
