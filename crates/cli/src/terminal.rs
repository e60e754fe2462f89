//! The only place that speaks to a person: data on stdout, everything else on stderr. Nothing that
//! came from a file acts on the terminal.

mod shown;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;

use shown::Shown;

use crate::args::Verbosity;
use crate::{Exit, Reply, escape};

/// Messages go to stderr, in colour only for a terminal that wants it. `RUST_LOG` overrules `-v`
/// and `-q`.
pub(crate) fn init(verbosity: &Verbosity) {
    let filter =
        EnvFilter::builder().with_default_directive(verbosity.level().into()).from_env_lossy();
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .without_time()
        // It would report a closed stderr on stderr, and panic.
        .log_internal_errors(false)
        .init();
}

/// Prints a reply. A reader that has read enough (`| head`) is no failure.
pub fn print(reply: &Reply) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(escape::lines(&reply.text).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write to standard output: {error}"));
            Exit::Failed
        }
        _ => reply.exit,
    }
}

/// Says a line on stderr. That nobody listens any more, because the terminal was closed, say, is no
/// reason to stop: `eprintln` would panic.
pub fn say(line: &str) {
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

/// How long `work` may take before a terminal is shown how far it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does `work`, which moves a bar on. A terminal's stderr shows the bar once that takes a while;
/// nothing of it stays.
pub(crate) fn with_progress<T>(work: impl FnOnce(&ProgressBar) -> T) -> T {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    let (over, waiting) = channel::<()>();
    let shown = &bar;
    let done = thread::scope(|scope| {
        scope.spawn(move || {
            let late = waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
            if late && io::stderr().is_terminal() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(100));
            }
        });
        let done = work(&bar);
        drop(over);
        done
    });
    bar.finish_and_clear();
    done
}
