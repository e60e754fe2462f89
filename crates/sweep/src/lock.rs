//! One sweep to a run directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::SweepError;
use crate::process::is_alive;

/// Holds the directory until it is dropped, or its process ends: the lock is the system's, so one
/// that was left behind by a killed sweep holds nobody up.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The locked file, with the holder's process id in it.
pub const NAME: &str = "sweep.lock";

/// How long a lock may outlive the process that took it: a sweep that is killed while it starts a
/// row leaves a copy of itself that has the lock until it notices.
const GRACE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// Refuses a directory that another sweep is writing into, naming its process.
pub fn refuse_held(dir: &Path) -> Result<(), SweepError> {
    let Ok(file) = File::open(dir.join(NAME)) else { return Ok(()) };
    // Shared: looking keeps nobody else out.
    wait_for(dir, || file.try_lock_shared())
}

/// Locks; waits for no process but one that is gone.
fn wait_for(dir: &Path, lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), SweepError> {
    let began = Instant::now();
    while let Err(TryLockError::WouldBlock) = lock() {
        let holder = fs::read_to_string(dir.join(NAME)).unwrap_or_default();
        if is_alive(&holder) || began.elapsed() > GRACE {
            let holder = holder.trim().to_owned();
            return Err(SweepError::Held { dir: dir.to_owned(), holder });
        }
        std::thread::sleep(PAUSE);
    }
    // Held, or on a system where nobody can tell.
    Ok(())
}

impl Lock {
    /// Takes `dir`, which is made if it is not there.
    pub fn take(dir: &Path) -> Result<Self, SweepError> {
        let path = dir.join(NAME);
        fs::create_dir_all(dir).map_err(SweepError::system(format!("make {}", dir.display())))?;
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut file = opened.map_err(SweepError::system(format!("write {}", path.display())))?;
        wait_for(dir, || file.try_lock())?;
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
        // Another test may be starting a process, which has what is locked until it is started.
        let began = Instant::now();
        while let Err(held) = refuse_held(dir.path()) {
            assert!(began.elapsed() < GRACE, "{held}");
            std::thread::sleep(PAUSE);
        }
    }

    /// As after a SIGKILL that came while a row was started: the process in the file is gone, and
    /// something of it has the lock a little longer.
    #[test]
    fn a_lock_that_outlives_its_process_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        fs::write(dir.path().join(NAME), gone.id().to_string()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(10 * PAUSE);
                drop(lock);
            });
            refuse_held(dir.path()).unwrap();
            Lock::take(dir.path()).unwrap();
        });
    }
}
