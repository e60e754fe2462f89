//! A signal to `vram dry-run` ends all that it started, and nothing is left on the disk.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{command, sandbox};
use crate::support::Sandbox;

/// What `look` finds, which is there in a moment.
fn soon<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// `vram` on a program that waits, which has begun, and the number of its process.
fn waiting(sandbox: &Sandbox, words: &[&str]) -> (Child, Pid) {
    let args = [&["dry-run", "--"], words, &["pid"]].concat();
    // Into a file: whoever reads a pipe waits for all that have it open.
    let said = File::create(sandbox.path("said")).unwrap();
    let mut command = command(sandbox, &args);
    let child = command.stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let number =
        soon("the program begins", || fs::read_to_string(sandbox.path("pid")).ok()?.parse().ok());
    (child, Pid::from_raw(number).unwrap())
}

/// A signal to `vram` alone, as a supervisor sends it, ends all that it started, with this exit code.
fn ends_all(signal: Signal, code: i32) {
    for words in [&["./waits"][..], &["./starts.sh", "./waits"]] {
        let sandbox = sandbox(&["waits", "starts.sh"]);
        let (mut child, program) = waiting(&sandbox, words);
        let left = || -> Vec<String> {
            let entries = fs::read_dir(sandbox.path("tmp")).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        assert!(left().iter().any(|name| name.starts_with("vram-dry-run-")), "{:?}", left());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ended = child.wait().unwrap().code();
        let (gone, left) = (is_gone(program), left());
        // Nobody else would.
        let _ = kill_process(program, Signal::KILL);
        assert!(gone, "{words:?}: the program is still there");
        assert_eq!((ended, left), (Some(code), Vec::new()), "{words:?}");
        let said = sandbox.read("said");
        assert!(said.starts_with("running ./") && said.lines().count() == 1, "{said}");
    }
}

/// Or nobody waits for it any more.
fn is_gone(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[test]
fn ctrl_c_ends_the_program_and_leaves_nothing() {
    ends_all(Signal::INT, 130);
}

#[test]
fn sigterm_ends_the_program_and_leaves_nothing() {
    ends_all(Signal::TERM, 143);
}

/// What cannot be caught leaves files behind, and no program.
#[test]
fn sigkill_leaves_no_program_behind() {
    let sandbox = sandbox(&["waits"]);
    let (mut child, program) = waiting(&sandbox, &["./waits"]);
    child.kill().unwrap();
    child.wait().unwrap();
    soon("the program is gone", || is_gone(program).then_some(()));
}
