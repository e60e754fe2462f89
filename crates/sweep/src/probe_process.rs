//! The process that measures one row: started, listened to, and ended.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vram_artifacts::events::Event;
use vram_launch::executable::Executable;

use crate::error::SweepError;
use crate::interrupt::Interrupt;
use crate::plan::Row;
use crate::process;

/// What the probe says on stderr, in the row's directory.
const LOG: &str = "probe.log";

/// How long it takes at most until a signal is heard of.
const GRACE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(5);

/// How a probe process ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It wrote its artifacts, PASS or FAIL.
    Exited,
    /// A signal that nobody here sent ended it: its own abort, or the system's way of taking memory
    /// back.
    Crashed(Crash),
    /// It has no artifacts for another reason.
    Lost(String),
    /// It was ended because the sweep was.
    Interrupted,
}

/// A process that a signal ended.
#[derive(Debug, PartialEq)]
pub struct Crash {
    signal: i32,
    /// What it said last, and where the rest is.
    pub why: String,
}

impl Crash {
    /// Whether this is how a process ends that asked for more memory than there is.
    pub(crate) fn may_be_memory(&self) -> bool {
        process::may_be_memory(self.signal)
    }
}

/// A child that does not outlive its sweep.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs one row's probe and tells `observe` of its events.
#[tracing::instrument(level = "trace", name = "probe", skip_all, fields(id = %row.id))]
pub(crate) fn run(
    probe: &Executable,
    row: &Row,
    device: &str,
    limits: &Limits,
    observe: &mut dyn FnMut(&Event),
) -> Result<Outcome, SweepError> {
    fs::create_dir_all(&row.dir)
        .map_err(SweepError::system(format!("make {}", row.dir.display())))?;
    let log = row.dir.join(LOG);
    let stderr =
        File::create(&log).map_err(SweepError::system(format!("write {}", log.display())))?;
    let mut command = probe.command();
    command.args(arguments(row, device)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    end_with_parent(&mut command);
    let mut child =
        command.spawn().map_err(SweepError::system(format!("start {}", probe.path().display())))?;
    let stdout = child.stdout.take();
    let mut child = Guard(child);
    let id = child.0.id();
    let watched = limits.interrupt.watch(id);
    let timer = limits.timeout.map(|timeout| Timer::start(timeout, limits.interrupt.clone(), id));
    let lines = stdout.into_iter().flat_map(|out| BufReader::new(out).lines());
    // A line that is no event is ignored; one that cannot be read ends the stream.
    for line in lines.map_while(Result::ok) {
        if let Ok(event) = serde_json::from_str(&line) {
            observe(&event);
        }
    }
    let status = child.0.wait().map_err(SweepError::system("wait for the probe"))?;
    drop(watched);
    let late = timer.is_some_and(Timer::stop);
    if !status.success() && is_interrupted(status, &limits.interrupt) {
        return Ok(Outcome::Interrupted);
    }
    match limits.timeout.filter(|_| late && !status.success()) {
        Some(limit) => Ok(Outcome::Lost(format!("ended after --row-timeout {}", limit.as_secs()))),
        None => Ok(outcome(status, &log)),
    }
}

/// Whether the sweep was ended. Who ends a row's process and the sweep at one time, as a scheduler does
/// and Ctrl-C, is heard of in another thread, and that may be after the process is gone.
fn is_interrupted(status: ExitStatus, interrupt: &Interrupt) -> bool {
    let began = Instant::now();
    let is_asked = signal(status).is_some_and(process::asks_to_end);
    while interrupt.signal().is_none() && is_asked && began.elapsed() < GRACE {
        std::thread::sleep(PAUSE);
    }
    interrupt.signal().is_some()
}

/// What ends a row's process before its time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// Signals to the sweep.
    pub(crate) interrupt: Interrupt,
    /// The most that a row may take.
    pub(crate) timeout: Option<Duration>,
}

/// Ends the child when its time is up.
struct Timer {
    done: Sender<()>,
    thread: JoinHandle<bool>,
}

impl Timer {
    fn start(timeout: Duration, interrupt: Interrupt, child: u32) -> Self {
        let (done, over) = channel();
        let thread = std::thread::spawn(move || {
            let late = over.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout);
            if late {
                interrupt.end(child);
            }
            late
        });
        Self { done, thread }
    }

    /// Whether it had to end the child.
    fn stop(self) -> bool {
        // It fails only where the thread is over already.
        let _ = self.done.send(());
        self.thread.join().unwrap_or(false)
    }
}

/// Whatever ends the sweep, SIGKILL included, ends its child.
fn end_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        let parent = rustix::process::getpid();
        let ask = move || {
            use rustix::process::{Signal, getppid, set_parent_process_death_signal};
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may be gone already.
            if getppid() == Some(parent) { Ok(()) } else { Err(std::io::Error::other("orphaned")) }
        };
        // SAFETY: between fork and exec the closure makes system calls alone and allocates nothing
        // on its way to success.
        unsafe { command.pre_exec(ask) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

fn outcome(status: ExitStatus, log: &Path) -> Outcome {
    let said = fs::read_to_string(log).unwrap_or_default();
    if status.success() {
        // A silent probe needs no log.
        if said.is_empty() {
            let _ = fs::remove_file(log);
        }
        return Outcome::Exited;
    }
    let last =
        said.trim().lines().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing").trim();
    let said = format!("{last} (see {})", log.display());
    match (signal(status), status.code()) {
        (Some(signal), _) => {
            let name = process::signal_name(signal);
            Outcome::Crashed(Crash { signal, why: format!("crashed with {name}: {said}") })
        }
        (None, Some(code)) => Outcome::Lost(format!("probe ended with exit code {code}: {said}")),
        (None, None) => Outcome::Lost(format!("probe ended without an exit code: {said}")),
    }
}

/// The signal that ended a process.
fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        status.signal()
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

fn arguments(row: &Row, device: &str) -> Vec<String> {
    let r = &row.row;
    let options = [
        ("--ant", r.ant.clone()),
        ("--colony", r.colony.clone()),
        ("--batch", r.batch.to_string()),
        ("--out-dim", r.out_dim.to_string()),
        ("--precision", row.spec.ant.precision.to_string()),
        ("--amp", u8::from(row.amp()).to_string()),
        ("--step", r.step.to_string()),
        ("--warmup-steps", r.warmup_steps.to_string()),
        ("--measure-steps", r.measure_steps.to_string()),
        ("--device", device.to_owned()),
        ("--row-id", r.id.clone()),
        ("--output-dir", row.dir.display().to_string()),
        ("--events", "json".to_owned()),
    ];
    let tape = r.tape.map(|tape| ("--tape", tape.to_string()));
    let words = options.into_iter().chain(tape);
    let words = words.flat_map(|(name, value)| [name.to_owned(), value]);
    // Steps are told by events; what is left for stderr is worth a log.
    ["--quiet", "probe"].into_iter().map(str::to_owned).chain(words).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use vram_presets::library::Library;
    use vram_workload::device_kind::DeviceKind;

    use super::*;
    use crate::plan::{Plan, select};

    /// Runs a script in the probe's place; returns how it ended and the steps that were seen.
    fn with_script(script: &str) -> (Outcome, Vec<u64>, tempfile::TempDir) {
        within(script, &Limits::default())
    }

    fn within(script: &str, limits: &Limits) -> (Outcome, Vec<u64>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let probe: PathBuf = dir.path().join("vram");
        fs::write(&probe, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&probe, fs::Permissions::from_mode(0o755)).unwrap();
        let library = Library::built_in();
        let sweep = library.sweep("smoke").unwrap().spec;
        let rows = select(&sweep, &["N16".to_owned()]).unwrap();
        let plan = Plan::new(&library, DeviceKind::Cpu, rows, dir.path()).unwrap();
        let mut steps = Vec::new();
        let observe = &mut |event: &Event| {
            if let Event::Step(step) = event {
                steps.push(step.step);
            }
        };
        let probe = Executable::plain(probe);
        let outcome = run(&probe, &plan.rows[0], "cpu", limits, observe).unwrap();
        (outcome, steps, dir)
    }

    const STEP: &str = r#"{"event":"step","stage":"warmup","step":1,"of":5,"seconds":0.1}"#;

    fn lost(script: &str) -> String {
        match with_script(script).0 {
            Outcome::Lost(why) => why,
            other => panic!("{script}: {other:?}"),
        }
    }

    #[test]
    fn steps_are_seen_and_noise_is_not() {
        let (outcome, steps, dir) = with_script(&format!("echo noise; echo '{STEP}'; echo '{{'"));
        assert_eq!((outcome, steps), (Outcome::Exited, vec![1]));
        // It said nothing on stderr.
        assert!(!dir.path().join("N16_smoke_narrowxsmoke_short_B16").join(LOG).exists());
    }

    #[test]
    fn a_refusal_says_what_the_probe_said() {
        let why = lost("echo 'unknown ant' >&2; exit 2");
        assert!(why.starts_with("probe ended with exit code 2: unknown ant (see "), "{why}");
    }

    #[test]
    fn a_killed_probe_is_named_with_its_signal() {
        for (signal, name, memory) in
            [(9, "SIGKILL", true), (6, "SIGABRT", true), (11, "SIGSEGV", false)]
        {
            let Outcome::Crashed(crash) = with_script(&format!("kill -{signal} $$")).0 else {
                panic!("{name} is no crash");
            };
            let said = format!("crashed with {name}: it said nothing");
            assert!(crash.why.starts_with(&said), "{crash:?}");
            assert_eq!(crash.may_be_memory(), memory, "{name}");
        }
    }

    /// As a scheduler does it: SIGTERM to both, and the probe is gone before the sweep hears of its own.
    #[test]
    fn a_signal_to_both_is_no_crash() {
        let limits = Limits::default();
        let sweep = limits.interrupt.clone();
        let (outcome, ..) = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(10 * PAUSE);
                sweep.come(crate::signal::Signal::Terminate);
            });
            within("kill -TERM $$", &limits)
        });
        assert_eq!(outcome, Outcome::Interrupted);
        let Outcome::Crashed(crash) = with_script("kill -TERM $$").0 else {
            panic!("nobody ended the sweep")
        };
        assert!(crash.why.starts_with("crashed with SIGTERM"), "{crash:?}");
    }

    #[test]
    fn a_probe_that_takes_too_long_is_ended() {
        let timeout = Some(Duration::from_millis(200));
        let limits = Limits { timeout, ..Limits::default() };
        let (outcome, ..) = within("exec sleep 60", &limits);
        assert_eq!(outcome, Outcome::Lost("ended after --row-timeout 0".to_owned()));
        let (outcome, ..) = within("true", &Limits { timeout: Some(Duration::MAX), ..limits });
        assert_eq!(outcome, Outcome::Exited);
    }

    #[test]
    fn every_argument_of_the_row_is_passed_on() {
        let (_, _, dir) = with_script("echo \"$@\" >&2");
        let log = dir.path().join("N16_smoke_narrowxsmoke_short_B16").join(LOG);
        let said = fs::read_to_string(log).unwrap();
        let expected = "--quiet probe --ant smoke_narrow --colony smoke_short --batch 16 --out-dim 1 --precision fp16 \
                        --amp 1 --step fused --warmup-steps 2 --measure-steps 3 --device cpu --row-id N16 --output-dir ";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.contains(" --tape full"), "{said}");
    }
}
