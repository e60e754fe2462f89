//! A command, run to its exit code.

use std::process::ExitCode;

use crate::exit::Exit;
use crate::panics;
use crate::reply::Reply;
use crate::terminal;

/// Prints what comes of `work`, or why nothing does, and gives the exit code for it. A panic is told
/// with the path of its log.
pub fn run(work: impl FnOnce() -> miette::Result<Reply>) -> ExitCode {
    panics::install();
    let exit = match panics::caught(work) {
        Ok(Ok(reply)) => terminal::print(&reply),
        Ok(Err(refusal)) => {
            terminal::complain(&refusal);
            Exit::Refused
        }
        // A refusal is an answer; a panic is none.
        Err(panic) => {
            terminal::complain(&miette::Report::new(panic));
            Exit::Failed
        }
    };
    exit.into()
}
