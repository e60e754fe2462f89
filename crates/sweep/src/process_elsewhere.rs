//! What is asked of the system about processes where it is no Unix: Ctrl-C ends the sweep and its row
//! together, and no process is ended by a signal.

use std::io;
use std::process::{Command, Stdio};

use crate::signal::Signal;

pub(crate) fn on_signal(_tell: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    Ok(())
}

/// Ends the process with this id.
pub(crate) fn kill(id: u32) {
    let id = id.to_string();
    let mut command = Command::new("taskkill");
    command.args(["/F", "/PID", &id]).stdout(Stdio::null()).stderr(Stdio::null());
    // It fails only for a process that has ended.
    let _ = command.status();
}

/// The lock is the system's own: who holds it is there.
pub(crate) fn is_alive(_id: &str) -> bool {
    true
}

pub(crate) fn signal_name(signal: i32) -> String {
    format!("signal {signal}")
}

pub(crate) fn asks_to_end(_signal: i32) -> bool {
    false
}

pub(crate) fn may_be_memory(_signal: i32) -> bool {
    false
}
