//! The line that lives on a terminal while something runs: a spinner, the time so far, how far it is.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use vram_source::escape;

use crate::terminal;

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// A line on stderr, on a terminal alone: not under `-q`, and not under `-v`, whose messages it would be
/// between.
pub(crate) struct Live(Option<ProgressBar>);

impl Live {
    /// A line that is there at once. Of so many steps, where that is known.
    pub(crate) fn new(steps: Option<u64>) -> Self {
        let shown = io::stderr().is_terminal()
            && terminal::shows_progress()
            && !tracing::enabled!(tracing::Level::DEBUG);
        Self(shown.then(|| {
            let (bar, template) = match steps {
                Some(steps) => {
                    (ProgressBar::new(steps), "{spinner} {elapsed_precise} {bar:8} {wide_msg}")
                }
                None => (ProgressBar::new_spinner(), "{spinner} {elapsed_precise} {wide_msg}"),
            };
            // A template of literals always parses; the default style would do as well.
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style);
            bar.enable_steady_tick(TICK);
            bar
        }))
    }

    /// From now on it says this; what a terminal has no room for is cut at the end.
    pub(crate) fn say(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(escape::line(what).into_owned());
        }
    }

    /// So many steps are over.
    pub(crate) fn advance(&self, steps: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(steps);
        }
    }

    /// A line above it that stays.
    pub(crate) fn print(&self, line: &str) {
        match &self.0 {
            Some(bar) => bar.println(escape::lines(line)),
            None => terminal::warn(line),
        }
    }
}

/// Nothing of it stays.
impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A duration in as little room as there is: `12 s`, `3 min`, `2 h 5 min`.
pub(crate) fn brief(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..5970 => format!("{} min", (seconds + 30) / 60),
        seconds => {
            let minutes = (seconds + 30) / 60;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_brief() {
        for (seconds, said) in [
            (0, "0 s"),
            (99, "99 s"),
            (100, "2 min"),
            (5969, "99 min"),
            (5970, "1 h 40 min"),
            (90_000, "25 h 0 min"),
        ] {
            assert_eq!(brief(Duration::from_secs(seconds)), said);
        }
    }
}
