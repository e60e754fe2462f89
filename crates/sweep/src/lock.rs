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

/// Folder of the files that tasks of planned rows lock, each named after its row's index.
const ROWS: &str = "locks";

/// How long a lock may outlive the process that took it: a sweep that is killed while it starts a
/// row leaves a copy of itself that has the lock until it notices.
const GRACE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// Refuses a directory that another sweep is writing into, naming its process.
pub fn refuse_held(dir: &Path) -> Result<(), SweepError> {
    let Ok(file) = File::open(dir.join(NAME)) else { return Ok(()) };
    // Shared: looking keeps nobody else out.
    wait_for(dir, NAME.as_ref(), || file.try_lock_shared())
}

/// Locks `file` of `dir`; waits for no process but one that is gone.
fn wait_for(
    dir: &Path,
    file: &Path,
    lock: impl Fn() -> Result<(), TryLockError>,
) -> Result<(), SweepError> {
    let began = Instant::now();
    while let Err(TryLockError::WouldBlock) = lock() {
        let holder = fs::read_to_string(dir.join(file)).unwrap_or_default();
        let is_here = is_alive(&holder);
        if is_here || began.elapsed() > GRACE {
            let holder = match is_here {
                true => format!("process {}", holder.trim()),
                false => "a task of a planned row, or a process of another machine".to_owned(),
            };
            return Err(SweepError::Held { path: dir.join(file), holder });
        }
        std::thread::sleep(PAUSE);
    }
    // Held, or on a system where nobody can tell.
    Ok(())
}

impl Lock {
    /// Takes `dir`, which is made if it is not there.
    pub fn take(dir: &Path) -> Result<Self, SweepError> {
        Self::whole(dir, NAME.as_ref())
    }

    /// Takes the row of this index of the plan in `dir`, and `dir` with others that take rows of it:
    /// no sweep of the whole directory begins meanwhile.
    pub fn take_row(dir: &Path, index: u64) -> Result<[Self; 2], SweepError> {
        let shared = open(&dir.join(NAME))?;
        wait_for(dir, NAME.as_ref(), || shared.try_lock_shared())?;
        // Who was named in it is gone, and no one process holds it now.
        if shared.metadata().is_ok_and(|file| file.len() > 0) {
            let _ = shared.set_len(0);
        }
        let row = Path::new(ROWS).join(index.to_string());
        Ok([Self { _file: shared }, Self::whole(dir, &row)?])
    }

    fn whole(dir: &Path, name: &Path) -> Result<Self, SweepError> {
        let mut file = open(&dir.join(name))?;
        wait_for(dir, name, || file.try_lock())?;
        // The id is for a message alone; a full disk will be told by what matters.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// Opens a file to lock, and makes it and its directory if they are not there.
fn open(path: &Path) -> Result<File, SweepError> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir).map_err(SweepError::system(format!("make {}", dir.display())))?;
    // Some network file systems lock what is open for both, or not at all.
    let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
    opened.map_err(SweepError::system(format!("write {}", path.display())))
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

    /// Rows of a plan are taken by whoever comes first; the directory is theirs together.
    #[test]
    fn rows_are_taken_one_by_one_and_no_sweep_begins_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take_row(dir.path(), 0).unwrap();
        let _second = Lock::take_row(dir.path(), 1).unwrap();
        let refused = Lock::take_row(dir.path(), 0).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        assert!(Lock::take(dir.path()).is_err());
        drop(first);
        let _again = Lock::take_row(dir.path(), 0).unwrap();

        let other = tempfile::tempdir().unwrap();
        let _sweep = Lock::take(other.path()).unwrap();
        assert!(Lock::take_row(other.path(), 0).is_err());
    }
}
