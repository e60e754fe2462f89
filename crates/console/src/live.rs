//! What lives on a terminal while something runs: a spinner, the time so far, how far it is, and a line for
//! each device where there are several.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use vram_source::escape;

use crate::terminal;

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// Lines on stderr, on a terminal alone: not under `-q`, and not under `-v`, whose messages they would be
/// between.
pub(crate) struct Live(Option<Lines>);

struct Lines {
    /// How far all of it is.
    whole: ProgressBar,
    /// What each device does, where there are several.
    devices: Vec<ProgressBar>,
}

impl Live {
    /// Lines that are there at once. Of so many steps, where that is known.
    pub(crate) fn new(steps: Option<u64>, devices: usize) -> Self {
        let shown = io::stderr().is_terminal()
            && terminal::shows_progress()
            && !tracing::enabled!(tracing::Level::DEBUG);
        Self(shown.then(|| {
            let group = MultiProgress::new();
            let (bar, template) = match steps {
                Some(steps) => {
                    (ProgressBar::new(steps), "{spinner} {elapsed_precise} {bar:8} {wide_msg}")
                }
                None => (ProgressBar::new_spinner(), "{spinner} {elapsed_precise} {wide_msg}"),
            };
            let line = |bar: ProgressBar, template: &str| {
                let bar = group.add(bar);
                // A template of literals always parses; the default style would do as well.
                bar.set_style(
                    ProgressStyle::with_template(template)
                        .unwrap_or_else(|_| ProgressStyle::default_bar()),
                );
                bar.enable_steady_tick(TICK);
                bar
            };
            let whole = line(bar, template);
            let several = if devices > 1 { devices } else { 0 };
            let device = |_| line(ProgressBar::new_spinner(), "  {wide_msg}");
            Lines { whole, devices: (0..several).map(device).collect() }
        }))
    }

    /// From now on it says this of all; what a terminal has no room for is cut at the end.
    pub(crate) fn say(&self, what: &str) {
        if let Some(lines) = &self.0 {
            lines.whole.set_message(escape::line(what).into_owned());
        }
    }

    /// The same of one of several devices, by its number.
    pub(crate) fn say_of(&self, device: usize, what: &str) {
        if let Some(line) = self.0.as_ref().and_then(|lines| lines.devices.get(device)) {
            line.set_message(escape::line(what).into_owned());
        }
    }

    /// So many steps are over.
    pub(crate) fn advance(&self, steps: u64) {
        if let Some(lines) = &self.0 {
            lines.whole.inc(steps);
        }
    }

    /// So many steps have to be done again.
    pub(crate) fn go_back(&self, steps: u64) {
        if let Some(lines) = &self.0 {
            lines.whole.set_position(lines.whole.position().saturating_sub(steps));
        }
    }

    /// A line above that stays.
    pub(crate) fn print(&self, line: &str) {
        match &self.0 {
            Some(lines) => lines.whole.println(escape::lines(line)),
            None => terminal::warn(line),
        }
    }
}

/// Nothing of it stays.
impl Drop for Live {
    fn drop(&mut self) {
        if let Some(lines) = &self.0 {
            lines.devices.iter().chain([&lines.whole]).for_each(ProgressBar::finish_and_clear);
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
