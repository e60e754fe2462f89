//! One sweep to a run directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use miette::{IntoDiagnostic, WrapErr, bail};

/// Holds the directory until it is dropped, or its process ends: the lock is the system's, so one
/// that was left behind by a killed sweep holds nobody up.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The locked file, with the holder's process id in it.
const NAME: &str = "sweep.lock";

/// Refuses a directory that another sweep is writing into, naming its process.
pub fn refuse_held(dir: &Path) -> miette::Result<()> {
    let Ok(file) = File::open(dir.join(NAME)) else { return Ok(()) };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => held(dir),
        // Nobody holds it, or nobody can tell: taking it will.
        _ => Ok(()),
    }
}

fn held(dir: &Path) -> miette::Result<()> {
    let holder = fs::read_to_string(dir.join(NAME)).unwrap_or_default();
    bail!(
        help = "wait until it is over, or name another --out",
        "another sweep is writing into {}: process {}",
        dir.display(),
        holder.trim()
    )
}

impl Lock {
    /// Takes `dir`, which is made if it is not there.
    pub fn take(dir: &Path) -> miette::Result<Self> {
        let path = dir.join(NAME);
        fs::create_dir_all(dir)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot make {}", dir.display()))?;
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut file = opened
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", path.display()))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            held(dir)?;
        }
        // The id is for a message alone; a full disk will be told by what matters.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_sweep_is_refused_and_a_stale_lock_is_not() {
        let dir = tempfile::tempdir().unwrap();
        refuse_held(dir.path()).unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let refused = refuse_held(dir.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        assert!(Lock::take(dir.path()).is_err());
        drop(lock);
        // The file is still there, as after a SIGKILL.
        assert!(dir.path().join(NAME).exists());
        refuse_held(dir.path()).unwrap();
        Lock::take(dir.path()).unwrap();
    }
}
