//! What Slurm says of the tasks of a plan, in its own words.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use vram_artifacts::slurm_jobs::{SlurmJob, SlurmJobs};

use crate::slurm::command;
use crate::slurm::error::SlurmError;
use crate::slurm::index_list::IndexList;

/// What Slurm says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Job and task, which name its log: `12_3`.
    pub task: String,
    /// Slurm's word: `RUNNING`, `TIMEOUT`. None where it does not know the task any more.
    pub word: Option<String>,
    /// What it says beside that: why, where, and the exit code.
    pub more: Vec<String>,
}

/// Words for tasks that are over. Whatever else there is ends some time.
const OVER: [&str; 11] = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "LAUNCH_FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
];

impl TaskState {
    /// Whether the task is waiting, running, or about to do either again.
    pub fn is_active(&self) -> bool {
        self.word.as_deref().is_some_and(|word| !OVER.contains(&word))
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(word) = &self.word else {
            return write!(f, "Slurm does not know its task {} any more", self.task);
        };
        f.write_str(word)?;
        if !self.more.is_empty() {
            write!(f, " ({})", self.more.join(", "))?;
        }
        write!(f, ", task {}", self.task)
    }
}

/// What is between the fields of a line.
const SEPARATOR: char = '|';

/// What Slurm says of every task that was submitted for the run directory `dir`, by the plan's
/// index; of one that was submitted again, the last time. `squeue` knows who is waiting, running and,
/// for `MinJobAge` seconds, over; `sacct` knows the others where the cluster keeps accounts.
///
/// # Errors
///
/// Slurm's commands are not here, or do not answer.
pub fn states(
    jobs: &SlurmJobs,
    indexes: &[u64],
    dir: &Path,
) -> Result<HashMap<u64, TaskState>, SlurmError> {
    let mut states = submitted(jobs, indexes);
    if states.is_empty() {
        return Ok(states);
    }
    let ids = ids(jobs);
    for said in queue(&ids, dir)? {
        said.tell(jobs, &mut states);
    }
    if states.values().any(|state| state.word.is_none()) {
        match accounts(&ids, dir) {
            Ok(said) => said.iter().for_each(|said| said.tell(jobs, &mut states)),
            Err(why) => tracing::debug!("no accounts of tasks that are over: {why}"),
        }
    }
    if states.values().any(|state| state.word.as_deref() == Some("FAILED")) {
        match command::output("scontrol", ["--oneliner", "show", "job", &ids], dir) {
            Ok(text) => exit_codes(&text).iter().for_each(|said| said.tell(jobs, &mut states)),
            Err(why) => tracing::debug!("no exit codes: {why}"),
        }
    }
    Ok(states)
}

/// How many tasks are waiting or running, by Slurm's words.
pub(super) fn active(jobs: &SlurmJobs, dir: &Path) -> Result<BTreeMap<String, usize>, SlurmError> {
    let mut words = BTreeMap::new();
    // Without a job it would tell of everybody's.
    if !jobs.jobs.is_empty() {
        let said = queue(&ids(jobs), dir)?.into_iter();
        for said in said.filter(|said| !OVER.contains(&said.word.as_str())) {
            *words.entry(said.word).or_insert(0) += 1;
        }
    }
    Ok(words)
}

/// The jobs' numbers, as Slurm's commands take them.
fn ids(jobs: &SlurmJobs) -> String {
    let ids: Vec<String> = jobs.jobs.iter().map(|job| job.job_id.to_string()).collect();
    ids.join(",")
}

/// Of which job each task is that was submitted.
fn submitted(jobs: &SlurmJobs, indexes: &[u64]) -> HashMap<u64, TaskState> {
    let lists: Vec<(&SlurmJob, IndexList)> =
        jobs.jobs.iter().rev().filter_map(|job| Some((job, job.tasks.parse().ok()?))).collect();
    let of = |&index: &u64| {
        let task = |job: &SlurmJob| index.checked_sub(job.offset);
        let is_of =
            |(job, list): &&(&SlurmJob, IndexList)| task(job).is_some_and(|t| list.contains(t));
        let (job, _) = lists.iter().find(is_of)?;
        let task = format!("{}_{}", job.job_id, task(job)?);
        Some((index, TaskState { task, word: None, more: Vec::new() }))
    };
    indexes.iter().filter_map(of).collect()
}

/// A task, and what Slurm says of it.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    job_id: u64,
    task: u64,
    word: String,
    more: Vec<String>,
}

impl Said {
    /// Tells whose task it is.
    fn tell(&self, jobs: &SlurmJobs, states: &mut HashMap<u64, TaskState>) {
        let name = format!("{}_{}", self.job_id, self.task);
        let mut offsets = jobs.jobs.iter().filter(|job| job.job_id == self.job_id);
        let index = offsets.next().and_then(|job| job.offset.checked_add(self.task));
        // One that was submitted again is another's now.
        let state = index.and_then(|index| states.get_mut(&index)).filter(|s| s.task == name);
        if let Some(state) = state {
            state.word = Some(self.word.clone());
            state.more.clone_from(&self.more);
        }
    }
}

fn queue(ids: &str, dir: &Path) -> Result<Vec<Said>, SlurmError> {
    let format = ["%F", "%K", "%T", "%N", "%r"].join(&SEPARATOR.to_string());
    let arguments = ["--noheader", "--array", "--states=all", "--jobs", ids, "--format", &format];
    match command::output("squeue", arguments, dir) {
        Ok(text) => Ok(text.lines().filter_map(queued).collect()),
        // It forgets jobs, and complains where it has forgotten all of them.
        Err(SlurmError::Refused { said, .. }) if said.contains("Invalid job id") => Ok(Vec::new()),
        Err(why) => Err(why),
    }
}

/// A line of `squeue`: job, task, word, nodes, reason.
fn queued(line: &str) -> Option<Said> {
    let mut fields = line.trim().splitn(5, SEPARATOR);
    let mut next = || fields.next();
    let (job_id, task) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (word, nodes, reason) = (next()?, next()?, next()?);
    let nodes = (!nodes.is_empty()).then(|| format!("on {nodes}"));
    let reason = (!["", "None"].contains(&reason)).then(|| reason.to_owned());
    let more = reason.into_iter().chain(nodes).collect();
    (!word.is_empty()).then(|| Said { job_id, task, word: word.to_owned(), more })
}

fn accounts(ids: &str, dir: &Path) -> Result<Vec<Said>, SlurmError> {
    let arguments = [
        "--noheader",
        "--parsable2",
        "--allocations",
        "--array",
        "--format=JobID,State,ExitCode,NodeList",
        "--jobs",
        ids,
    ];
    Ok(command::output("sacct", arguments, dir)?.lines().filter_map(accounted).collect())
}

/// A line of `sacct`: job and task, word with who cancelled it, exit code, nodes.
fn accounted(line: &str) -> Option<Said> {
    let mut fields = line.trim().splitn(4, SEPARATOR);
    let mut next = || fields.next();
    let (job_id, task) = next()?.split_once('_')?;
    let (job_id, task) = (job_id.parse().ok()?, task.parse().ok()?);
    let (state, code, nodes) = (next()?, next()?, next()?);
    let (word, who) = state.split_once(' ').unwrap_or((state, ""));
    let who = (!who.is_empty()).then(|| who.to_owned());
    let code = (word == "FAILED").then(|| exit_code(code));
    let nodes = (!["", "None assigned"].contains(&nodes)).then(|| format!("on {nodes}"));
    let more = who.into_iter().chain(code).chain(nodes).collect();
    (!word.is_empty()).then(|| Said { job_id, task, word: word.to_owned(), more })
}

/// What `scontrol` knows of failed tasks beside `squeue`: the exit code, and the signal after it.
fn exit_codes(text: &str) -> Vec<Said> {
    let of_line = |line: &str| {
        let field = |name: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let job_id = field("ArrayJobId")?.parse().ok()?;
        let task = field("ArrayTaskId")?.parse().ok()?;
        let word = field("JobState").filter(|word| *word == "FAILED")?.to_owned();
        let nodes = field("NodeList").filter(|nodes| *nodes != "(null)");
        let nodes = nodes.map(|nodes| format!("on {nodes}"));
        let more = std::iter::once(exit_code(field("ExitCode")?)).chain(nodes).collect();
        Some(Said { job_id, task, word, more })
    };
    text.lines().filter_map(of_line).collect()
}

/// An exit code and a signal, `1:0`, of which one is meant.
fn exit_code(pair: &str) -> String {
    match pair.split_once(':') {
        Some((code, "0")) => format!("exit code {code}"),
        Some((_, signal)) => format!("signal {signal}"),
        None => format!("exit code {pair}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jobs(jobs: &[(u64, u64, &str)]) -> SlurmJobs {
        let jobs = jobs.iter().map(|&(job_id, offset, tasks)| SlurmJob {
            job_id,
            offset,
            tasks: tasks.to_owned(),
            submitted_utc: String::new(),
        });
        SlurmJobs { jobs: jobs.collect(), ..SlurmJobs::default() }
    }

    /// What a plan of eight rows is told by lines that were recorded.
    fn told(jobs: &SlurmJobs, said: impl Iterator<Item = Said>) -> Vec<Option<String>> {
        let indexes: Vec<u64> = (0..8).collect();
        let mut states = submitted(jobs, &indexes);
        said.for_each(|said| said.tell(jobs, &mut states));
        indexes.iter().map(|index| states.get(index).map(ToString::to_string)).collect()
    }

    /// Recorded of Slurm 22.05.8.
    #[test]
    fn a_queue_says_what_its_tasks_do() {
        let queue = "1|7|COMPLETED|vm|None\n1|0|RUNNING|vm|None\n1|2|FAILED|vm|NonZeroExitCode\n\
                     1|3|TIMEOUT|vm|TimeLimit\n6|0|PENDING||JobHeldUser\n6|1|CANCELLED||Dependency\n\
                     6|N/A|PENDING||None\n6|2-5%2|PENDING||Resources\nnonsense\n";
        let jobs = jobs(&[(1, 0, "0-3,7"), (6, 4, "0-1")]);
        let told = told(&jobs, queue.lines().filter_map(queued));
        let expected = [
            "RUNNING (on vm), task 1_0",
            "Slurm does not know its task 1_1 any more",
            "FAILED (NonZeroExitCode, on vm), task 1_2",
            "TIMEOUT (TimeLimit, on vm), task 1_3",
            "PENDING (JobHeldUser), task 6_0",
            "CANCELLED (Dependency), task 6_1",
            "",
            "COMPLETED (on vm), task 1_7",
        ];
        let told: Vec<String> = told.into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(told, expected);
    }

    /// A row that was submitted again is its last job's.
    #[test]
    fn the_last_job_of_a_row_counts() {
        let jobs = jobs(&[(1, 0, "0-3"), (9, 2, "0")]);
        let queue = "1|2|TIMEOUT|vm|TimeLimit\n9|0|PENDING||Priority\n1|1|PREEMPTED|vm|None";
        let told = told(&jobs, queue.lines().filter_map(queued));
        assert_eq!(told[2].as_deref(), Some("PENDING (Priority), task 9_0"));
        assert_eq!(told[1].as_deref(), Some("PREEMPTED (on vm), task 1_1"));
        assert_eq!(told[4], None);
    }

    /// As `sacct --parsable2 --allocations` of Slurm 22.05 and 23.11 writes them.
    #[test]
    fn accounts_say_how_tasks_ended() {
        let accounts = "12_0|COMPLETED|0:0|n1\n12_1|FAILED|1:0|n2\n12_2|FAILED|0:11|n2\n\
                        12_3|CANCELLED by 1000|0:0|None assigned\n12_4|OUT_OF_MEMORY|0:125|n3\n\
                        12_5|NODE_FAIL|1:0|n3\n12_6|TIMEOUT|0:0|n4\n12_7.batch|TIMEOUT|0:15|n4\n\
                        12_[8-9%2]|PENDING|0:0|None assigned\n";
        let told = told(&jobs(&[(12, 0, "0-9")]), accounts.lines().filter_map(accounted));
        let expected = [
            "COMPLETED (on n1), task 12_0",
            "FAILED (exit code 1, on n2), task 12_1",
            "FAILED (signal 11, on n2), task 12_2",
            "CANCELLED (by 1000), task 12_3",
            "OUT_OF_MEMORY (on n3), task 12_4",
            "NODE_FAIL (on n3), task 12_5",
            "TIMEOUT (on n4), task 12_6",
            "Slurm does not know its task 12_7 any more",
        ];
        let told: Vec<String> = told.into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(told, expected);
    }

    /// Recorded of Slurm 22.05.8, shortened.
    #[test]
    fn exit_codes_are_those_of_failed_tasks() {
        let shown = "JobId=1 ArrayJobId=1 ArrayTaskId=7 ArrayTaskThrottle=2 JobName=job.sh \
                     JobState=COMPLETED Reason=None ExitCode=0:0 NodeList=vm\nJobId=4 \
                     ArrayJobId=1 ArrayTaskId=2 JobName=job.sh JobState=FAILED \
                     Reason=NonZeroExitCode ExitCode=3:0 NodeList=vm BatchHost=vm\nJobId=6 \
                     ArrayJobId=6 ArrayTaskId=0-1,5-8%2 JobState=PENDING ExitCode=0:0\n";
        let said = exit_codes(shown);
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0].more, ["exit code 3", "on vm"]);
    }

    #[test]
    fn what_is_not_over_is_active() {
        let state = |word: &str| TaskState {
            task: "1_0".to_owned(),
            word: Some(word.to_owned()),
            more: Vec::new(),
        };
        for word in ["PENDING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED"] {
            assert!(state(word).is_active(), "{word}");
        }
        for word in ["TIMEOUT", "PREEMPTED", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY"] {
            assert!(!state(word).is_active(), "{word}");
        }
        assert!(!TaskState { word: None, ..state("") }.is_active());
    }

    proptest! {
        /// A queue's line is read as it was written.
        #[test]
        fn any_task_is_read_from_its_line(
            job_id: u64, task: u64, word in "[A-Z_]{1,20}", nodes in "[a-z0-9,\\[\\]-]{0,20}",
            reason in "[A-Za-z(,) |]{1,30}",
        ) {
            let line = format!("{job_id}|{task}|{word}|{nodes}|{reason}");
            let said = queued(&line).unwrap();
            prop_assert_eq!((said.job_id, said.task, said.word), (job_id, task, word));
        }

        #[test]
        fn any_text_is_told_or_not(text in any::<String>()) {
            let _ = (queued(&text), accounted(&text), exit_codes(&text));
        }
    }
}
