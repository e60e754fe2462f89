//! Waiting until no task of a run directory is pending or running.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use vram_artifacts::slurm_jobs::SlurmJobs;

use crate::error::SweepError;
use crate::process;
use crate::signal::Signal;
use crate::slurm::error::SlurmError;
use crate::slurm::states::active;

/// What is seen while tasks are waited for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Waiting {
    /// How many tasks are in each state, by Slurm's words.
    Tasks(BTreeMap<String, usize>),
    /// Slurm does not answer now, which it does while it is started again; it is asked again.
    NoAnswer(String),
}

/// How long nothing is asked: a controller has others to answer.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Waits until no task is pending or running, or until a signal comes, which is returned: the tasks
/// go on without whoever waits.
///
/// # Errors
///
/// Slurm's commands are not here.
pub fn wait(
    jobs: &SlurmJobs,
    dir: &Path,
    tell: &mut dyn FnMut(&Waiting),
) -> Result<Option<Signal>, SlurmError> {
    let (send, signals) = channel();
    let seen = process::on_signal(move |signal| {
        // It fails only where nobody waits any more.
        let _ = send.send(signal);
    });
    seen.map_err(SweepError::system("catch Ctrl-C"))?;
    let mut pause = SHORTEST;
    loop {
        match active(jobs, dir) {
            Ok(words) if words.is_empty() => return Ok(None),
            Ok(words) => tell(&Waiting::Tasks(words)),
            Err(SlurmError::Refused { said, .. }) => tell(&Waiting::NoAnswer(said)),
            Err(why) => return Err(why),
        }
        if let Ok(signal) = signals.recv_timeout(pause) {
            return Ok(Some(signal));
        }
        pause = (pause * 2).min(LONGEST);
    }
}
