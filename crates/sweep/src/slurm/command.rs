//! Slurm's commands, run and listened to.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::SweepError;
use crate::slurm::error::SlurmError;

/// What a command of Slurm's prints.
pub(super) fn output<S: AsRef<OsStr>>(
    program: &'static str,
    arguments: impl IntoIterator<Item = S>,
    dir: &Path,
) -> Result<String, SlurmError> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).current_dir(dir);
    tracing::debug!("{command:?}");
    let output = command.output().map_err(|why| match why.kind() {
        ErrorKind::NotFound => SlurmError::NoCommand { program },
        _ => SweepError::system(format!("run {program}"))(why).into(),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { format!("it ended with {}", output.status) } else { said };
    Err(SlurmError::Refused { program, command: format!("{command:?}"), said })
}
