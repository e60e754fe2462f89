//! A program that is started, watched and, if somebody wants that, ended with all that it started.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{IsTerminal, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde::{Serialize, Serializer};

use crate::error::{DryRunError, file};
use crate::library::Unpacked;
use crate::protocol::{CALLS, CALLS_AND_STACKS, DIRECTORY_VARIABLE, REQUESTS_VARIABLE};
use crate::requests::Wanted;

/// Where a program's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To our own.
    Through,
    /// All of it to our stderr: stdout belongs to somebody else.
    ToStderr,
    /// Nowhere, unless the run fails.
    Kept,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending(ExitStatus);

impl Ending {
    /// Whether with code 0.
    pub fn is_success(self) -> bool {
        self.0.success()
    }

    /// Its exit code; none if a signal ended it.
    pub fn code(self) -> Option<i32> {
        self.0.code()
    }

    /// The signal that ended it.
    pub fn signal(self) -> Option<i32> {
        self.0.signal()
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code(), self.signal()) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("no exit code"),
        }
    }
}

impl Serialize for Ending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            code: Option<i32>,
            signal: Option<i32>,
        }
        Shown { code: self.code(), signal: self.signal() }.serialize(serializer)
    }
}

/// What every run reads as its stdin: ours, as far as the first run read it. A terminal is not handed
/// on: nobody types the same eleven times, and what reads one in the background is stopped.
#[derive(Debug, Default)]
pub(crate) struct Stdin {
    /// What the first run was given.
    read: Arc<Mutex<Vec<u8>>>,
    is_first_over: bool,
}

impl Stdin {
    /// Hands an input on and keeps a copy of it. The reader is left behind where the program is done
    /// before its input is: it ends with this process.
    fn pass_on(
        &self,
        mut from: impl Read + Send + 'static,
        mut to: impl Write + Send + 'static,
    ) -> JoinHandle<()> {
        let read = self.read.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(bytes @ 1..) = from.read(&mut buffer) {
                // First, for the program may read it and be done, and the next run begin, at once.
                read.lock().unwrap_or_else(PoisonError::into_inner).extend(&buffer[..bytes]);
                if to.write_all(&buffer[..bytes]).is_err() {
                    break;
                }
            }
        })
    }

    /// What the next run reads.
    fn next(&mut self) -> std::io::Result<Stdio> {
        let is_first = !std::mem::replace(&mut self.is_first_over, true);
        Ok(match is_first {
            _ if std::io::stdin().is_terminal() => Stdio::null(),
            true => Stdio::piped(),
            false => self.again()?.into(),
        })
    }

    /// A file of what the first run read.
    fn again(&self) -> std::io::Result<File> {
        let mut file = tempfile::tempfile()?;
        file.write_all(&self.read.lock().unwrap_or_else(PoisonError::into_inner))?;
        file.rewind()?;
        Ok(file)
    }
}

/// How often it is asked whether the program is done or somebody wants it to stop.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// As long as the end of a killed process is waited for: one that the system does not let go of is left.
const MOST_LOOKS: u32 = 1000;

/// A command with one of our libraries before all others, which writes down what was `wanted` in
/// `directory`.
pub(crate) fn command(
    (program, arguments): (&Path, &[OsString]),
    library: &Unpacked,
    directory: &Path,
    wanted: Wanted,
) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(DIRECTORY_VARIABLE, directory)
        .env("LD_PRELOAD", first("LD_PRELOAD", &library.library))
        .env("LD_LIBRARY_PATH", first("LD_LIBRARY_PATH", &library.directory));
    match wanted {
        Wanted::Nothing => command.env_remove(REQUESTS_VARIABLE),
        Wanted::Calls => command.env(REQUESTS_VARIABLE, CALLS),
        Wanted::Stacks => command.env(REQUESTS_VARIABLE, CALLS_AND_STACKS),
    };
    command
}

/// Runs a `command` of the run in `directory` to its end. Returns how it ended, and what it said where
/// that is kept. Without `stdin` it has ours.
pub(crate) fn watch(
    mut command: Command,
    directory: &Path,
    output: Output,
    mut stdin: Option<&mut Stdin>,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<(Ending, Vec<u8>), DryRunError> {
    let program = PathBuf::from(command.get_program());
    let failed = |source| DryRunError::Start { program: program.clone(), source };
    let mut kept = tempfile::tempfile().map_err(file("make a file in", &std::env::temp_dir()))?;
    match output {
        Output::Through => {}
        Output::ToStderr => {
            command.stdout(std::io::stderr());
        }
        Output::Kept => {
            let copy = |file: &File| file.try_clone().map(Stdio::from);
            command.stdout(copy(&kept).map_err(failed)?).stderr(copy(&kept).map_err(failed)?);
        }
    }
    if let Some(stdin) = &mut stdin {
        command.stdin(stdin.next().map_err(failed)?);
    }
    // SAFETY: between fork and exec the new process makes one system call and touches no memory that a
    // thread of ours may hold.
    unsafe {
        // Who kills `vram` outright wants no program left behind that nobody waits for.
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(to), Some(stdin)) = (child.stdin.take(), stdin) {
        stdin.pass_on(std::io::stdin(), to);
    }
    let ending = loop {
        let ended = child.try_wait().map_err(failed)?;
        // Ctrl-C ends the program as well, which then did not end by itself.
        if is_interrupted() {
            // It may be over; there is nobody left to tell.
            let _ = child.kill();
            let _ = child.wait();
            end_all(directory);
            return Err(DryRunError::Interrupted);
        }
        match ended {
            Some(status) => break Ending(status),
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    let mut said = Vec::new();
    if output == Output::Kept && kept.rewind().is_ok() {
        let _ = kept.read_to_end(&mut said);
    }
    Ok((ending, said))
}

/// Ends every process of the run in `directory`: a script's programs, say, which nothing ends with it.
fn end_all(directory: &Path) {
    let mut wanted = OsString::from(DIRECTORY_VARIABLE);
    wanted.push("=");
    wanted.push(directory);
    // They take a moment, and may have begun others.
    for _ in 0..MOST_LOOKS {
        let Ok(processes) = fs::read_dir("/proc") else { return };
        let belongs = |process: &PathBuf| {
            // That of somebody else's process cannot be read.
            let variables = fs::read(process.join("environ")).unwrap_or_default();
            variables.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        };
        let paths = processes.filter_map(|entry| Some(entry.ok()?.path()));
        let numbers: Vec<Pid> = paths
            .filter(belongs)
            .filter_map(|path| Pid::from_raw(path.file_name()?.to_str()?.parse().ok()?))
            .collect();
        if numbers.is_empty() {
            return;
        }
        for number in numbers {
            let _ = kill_process(number, Signal::KILL);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A list of paths with one more before those that are set.
fn first(variable: &str, path: &Path) -> OsString {
    let mut list = path.as_os_str().to_owned();
    if let Some(set) = std::env::var_os(variable).filter(|set| !set.is_empty()) {
        list.push(":");
        list.push(set);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that reads what it is given, and is done at once.
    struct Reader(Arc<Mutex<Vec<u8>>>);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            assert!(self.0.lock().unwrap().ends_with(bytes), "the next run would lack this");
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_the_first_run_reads_is_there_for_the_next_at_once() {
        let stdin = Stdin::default();
        let input: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        let reader = Reader(stdin.read.clone());
        stdin.pass_on(std::io::Cursor::new(input.clone()), reader).join().unwrap();
        let mut again = Vec::new();
        stdin.again().unwrap().read_to_end(&mut again).unwrap();
        assert!(again == input);
    }
}
