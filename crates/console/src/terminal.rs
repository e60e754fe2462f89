//! The only place that speaks to a person: data on stdout, everything else on stderr. Nothing that
//! came from a file acts on the terminal.

use std::io::{self, ErrorKind, Write};

use vram_source::escape;

use crate::diagnostic::Shown;
use crate::exit::Exit;
use crate::reply::Reply;

/// Prints a reply. A reader that has read enough (`| head`) is no failure.
pub fn print(reply: &Reply) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(escape::lines(&reply.text).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            warn(&format!("error: cannot write to standard output: {error}"));
            Exit::Failed
        }
        _ => reply.exit,
    }
}

/// Whether what is no warning and no error is shown: not under `-q`.
pub(crate) fn shows_progress() -> bool {
    tracing::enabled!(tracing::Level::INFO)
}

/// Says a line on stderr, but under `-q`.
pub fn say(line: &str) {
    if shows_progress() {
        warn(line);
    }
}

/// Says a line on stderr that is a warning or part of an error. That nobody listens any more, because
/// the terminal was closed, say, is no reason to stop: `eprintln` would panic.
pub fn warn(line: &str) {
    write(&escape::lines(line));
}

fn write(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Renders an error, with the excerpt of the file it points into where it has one.
pub fn complain(report: &miette::Report) {
    let shown = miette::Report::new(Shown::diagnostic(report.as_ref()));
    write(&format!("{shown:?}"));
}
