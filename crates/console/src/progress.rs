//! What a person sees while rows run: a live bar on a terminal, a line per row elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use vram_artifacts::events::Step;
use vram_artifacts::run_record::RunRecord;
use vram_report::defaults::NO_LEDGER;
use vram_report::units::gib;
use vram_sweep::event::RowEvent;
use vram_sweep::plan::Row;
use vram_sweep::preflight::Shortage;

use crate::terminal;

/// Rows that come one after another.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    pace: Pace,
    rows: usize,
    at: usize,
}

/// Seconds per unit of work so far, and the work that is left.
struct Pace {
    left: f64,
    done: f64,
    seconds: f64,
}

impl Pace {
    /// One step of `work` took `seconds`.
    fn step(&mut self, work: f64, seconds: f64) {
        self.done += work;
        self.seconds += seconds;
        self.left -= work;
    }

    /// Time left at the pace so far; none before the first step.
    fn time_left(&self) -> Option<Duration> {
        let seconds = self.seconds / self.done * self.left.max(0.0);
        Duration::try_from_secs_f64(seconds.round()).ok()
    }
}

fn work(row: &Row) -> f64 {
    row.work() * row.steps() as f64
}

impl Progress {
    pub(crate) fn new(rows: &[Row]) -> Self {
        let steps = rows.iter().map(Row::steps).sum();
        let shown = std::io::stderr().is_terminal() && terminal::shows_progress();
        let bar = shown.then(|| {
            // A template of literals always parses; the default style would do as well.
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len} steps  {wide_msg}");
            ProgressBar::new(steps)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            bar,
            rows: rows.len(),
            at: 0,
            pace: Pace { left: rows.iter().map(work).sum(), done: 0.0, seconds: 0.0 },
        }
    }

    /// Shows what happened to a row.
    pub(crate) fn on(&mut self, row: &Row, event: &RowEvent<'_>) {
        match event {
            RowEvent::FinishedBefore => self.skip(row, "finished before"),
            RowEvent::DoesNotFit(shortage) => self.skip(row, &format!("not run: {shortage}")),
            RowEvent::Started(shortage) => self.start(row, *shortage),
            RowEvent::RanOnVirtualCard => self.line(
                row,
                "runs again: what is there ran on a virtual card, which is no measurement",
            ),
            RowEvent::Step(step) => self.step(row, step),
            RowEvent::Measured(record) => self.done(row, record),
            RowEvent::Lost(why) => self.warn(row, &format!("LOST  {why}")),
            _ => {}
        }
    }

    /// The row does not run.
    fn skip(&mut self, row: &Row, why: &str) {
        self.at += 1;
        self.pace.left -= work(row);
        if let Some(bar) = &self.bar {
            bar.inc(row.steps());
        }
        self.line(row, why);
    }

    /// The row begins.
    fn start(&mut self, row: &Row, shortage: Option<&Shortage>) {
        self.at += 1;
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} ({}/{})", row.id, self.at, self.rows));
            bar.tick();
        }
        match (&row.forecast, row.predicted()) {
            (None, None) => self.line(row, &format!("runs without a prediction: {NO_LEDGER}")),
            (None, Some(bytes)) => {
                self.line(row, &format!("{} GiB by a dry run on a virtual card", gib(bytes)));
            }
            (Some(_), _) => {}
        }
        if let Some(shortage) = shortage {
            self.line(row, &format!("runs all the same: {shortage}"));
        }
    }

    /// A step of the row is over.
    fn step(&mut self, row: &Row, step: &Step) {
        if let Some(seconds) = step.seconds {
            self.pace.step(row.work(), seconds);
        }
        let Some(bar) = &self.bar else { return };
        let peak =
            step.peak_reserved_bytes.map_or("unknown".to_owned(), |b| format!("{} GiB", gib(b)));
        let left = match self.pace.time_left() {
            Some(left) => format!("{} left", indicatif::HumanDuration(left)),
            None => "time left unknown".to_owned(),
        };
        bar.inc(1);
        bar.set_message(format!(
            "{} ({}/{}) step {}/{}  peak {peak}  {left}",
            row.id, self.at, self.rows, step.step, step.of
        ));
    }

    /// The row has its artifacts.
    fn done(&self, row: &Row, record: &RunRecord) {
        let m = &record.metrics;
        let peak = m.peak_vram_reserved_bytes.map_or("unknown".to_owned(), gib);
        let step = m.median_step_time_s.map_or("-".to_owned(), |s| format!("{s:.3}"));
        let verdict = match m.reasons() {
            none if none.is_empty() => m.status().to_string(),
            reasons => format!("{} ({reasons})", m.status()),
        };
        let mark = m.disturbance().map_or(String::new(), |bytes| {
            format!("  disturbed: others' memory moved by {} GiB", gib(bytes))
        });
        let kind = if record.env.virtual_card { "  virtual card: no measurement" } else { "" };
        let measured = format!("peak reserved {peak} GiB  median step {step} s");
        let text = format!("{verdict}  {measured}{mark}{kind}");
        match m.stability_pass {
            true => self.line(row, &text),
            false => self.warn(row, &text),
        }
    }

    /// All rows are over.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Says something of the row.
    fn line(&self, row: &Row, text: &str) {
        if terminal::shows_progress() {
            self.warn(row, text);
        }
    }

    /// Says something of the row that is wrong with it.
    fn warn(&self, row: &Row, text: &str) {
        let line = format!("[{}/{}] {:6} {text}", self.at, self.rows, row.id);
        match &self.bar {
            Some(bar) => bar.println(line),
            None => terminal::warn(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two of eight units took 3 s: six are left, at 1.5 s each.
    #[test]
    fn time_left_is_work_left_at_the_pace_so_far() {
        let mut pace = Pace { left: 8.0, done: 0.0, seconds: 0.0 };
        assert_eq!(pace.time_left(), None);
        pace.step(2.0, 3.0);
        assert_eq!(pace.time_left(), Some(Duration::from_secs(9)));
        pace.step(6.0, 9.0);
        assert_eq!(pace.time_left(), Some(Duration::ZERO));
    }
}
