//! What is asked of the system about processes and signals, on Unix.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal as Kill, kill_process, test_kill_process};
use signal_hook::consts::{SIGABRT, SIGBUS, SIGINT, SIGKILL, SIGTERM};
use signal_hook::iterator::Signals;

use crate::signal::Signal;

/// Tells of every Ctrl-C and SIGTERM from now on, neither of which ends this process any more.
pub(crate) fn on_signal(tell: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            tell(if signal == SIGTERM { Signal::Terminate } else { Signal::Interrupt });
        }
    });
    Ok(())
}

/// Ends the process with this id.
pub(crate) fn kill(id: u32) {
    if let Some(pid) = Pid::from_raw(id.cast_signed()) {
        // It fails only for a process that has ended.
        let _ = kill_process(pid, Kill::KILL);
    }
}

/// Whether the process with this id is there.
pub(crate) fn is_alive(id: &str) -> bool {
    let pid = id.trim().parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// The signal's name, such as `SIGKILL`.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// Whether this is how a process ends that somebody asked to end.
pub(crate) fn asks_to_end(signal: i32) -> bool {
    [SIGINT, SIGTERM].contains(&signal)
}

/// Whether this is how a process ends that asked for more memory than there is: killed by the
/// system, or by its own abort where an allocation cannot fail.
pub(crate) fn may_be_memory(signal: i32) -> bool {
    [SIGABRT, SIGBUS, SIGKILL].contains(&signal)
}
