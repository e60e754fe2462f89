//! What a person sees while rows run: on a terminal what happens now, and a line per row everywhere.

use std::time::Duration;

use vram_artifacts::events::Step;
use vram_artifacts::metrics::Metrics;
use vram_artifacts::run_record::RunRecord;
use vram_report::defaults::NO_LEDGER;
use vram_report::units::gib;
use vram_sweep::event::RowEvent;
use vram_sweep::plan::Row;
use vram_sweep::preflight::Shortage;

use crate::live::{Live, brief};
use crate::terminal;

/// Rows that come one after another.
pub(crate) struct Progress {
    live: Live,
    pace: Pace,
    of: Of,
    at: usize,
}

/// What there is to do.
enum Of {
    /// So many rows.
    Rows(usize),
    /// So many searches, each of as many probes as it takes, and the probes of this one so far.
    Searches(usize, u32),
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
    /// Of rows that are to be measured.
    pub(crate) fn of_rows(rows: &[Row]) -> Self {
        Self {
            live: Live::new(Some(rows.iter().map(Row::steps).sum())),
            pace: Pace { left: rows.iter().map(work).sum(), done: 0.0, seconds: 0.0 },
            of: Of::Rows(rows.len()),
            at: 0,
        }
    }

    /// Of searches, of which nobody knows how long they take.
    pub(crate) fn of_searches(count: usize) -> Self {
        Self {
            live: Live::new(None),
            pace: Pace { left: 0.0, done: 0.0, seconds: 0.0 },
            of: Of::Searches(count, 0),
            at: 0,
        }
    }

    /// The next search begins.
    pub(crate) fn search(&mut self, row: &Row) {
        self.at += 1;
        if let Of::Searches(_, probes) = &mut self.of {
            *probes = 0;
        }
        self.live.say(&format!("{} {}", row.id, self.place()));
    }

    /// Shows what happened to a row.
    pub(crate) fn on(&mut self, row: &Row, event: &RowEvent<'_>) {
        match event {
            RowEvent::FinishedBefore(record) => self.skip(row, &kept(row, record)),
            RowEvent::Redone => {
                self.line(row, "runs again, as --redo says: what was there is kept aside")
            }
            RowEvent::Unfinished(why) => self.line(row, &format!("runs again: {why}")),
            RowEvent::DoesNotFit(shortage) => self.skip(row, &format!("not run: {shortage}")),
            RowEvent::Counting => self.now(row, "dry run on a virtual card"),
            RowEvent::NotCounted(why) => {
                self.line(row, &format!("nothing is predicted by a dry run: {why}"));
            }
            RowEvent::Started(shortage) => self.start(row, *shortage),
            RowEvent::Computing => self.now(row, &format!("{}, touches memory", stage(row, 0))),
            RowEvent::RanOnVirtualCard => self.line(
                row,
                "runs again: what is there ran on a virtual card, which is no measurement",
            ),
            RowEvent::Step(step) => self.step(row, step),
            RowEvent::Measured(record) => self.done(row, record),
            RowEvent::Lost(why) => self.warn(row, &format!("LOST  {why}")),
            RowEvent::Interrupted => self.warn(row, "interrupted"),
            _ => {}
        }
    }

    /// The row does not run.
    fn skip(&mut self, row: &Row, why: &str) {
        self.count();
        self.pace.left -= work(row);
        self.live.advance(row.steps());
        self.line(row, why);
    }

    /// The row begins.
    fn start(&mut self, row: &Row, shortage: Option<&Shortage>) {
        self.count();
        self.now(row, "starts");
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
        self.live.advance(1);
        let left = match (&self.of, self.pace.time_left()) {
            (Of::Rows(_), Some(left)) => format!(", {} left", brief(left)),
            _ => String::new(),
        };
        let peak = step.peak_reserved_bytes.map(|bytes| format!(", {} GiB", gib(bytes)));
        self.now(row, &format!("{}{left}{}", stage(row, step.step), peak.unwrap_or_default()));
    }

    /// The row has its artifacts.
    fn done(&self, row: &Row, record: &RunRecord) {
        let m = &record.metrics;
        let peak = m.peak_vram_reserved_bytes.map_or("unknown".to_owned(), gib);
        let step = m.median_step_time_s.map_or("-".to_owned(), |s| format!("{s:.3}"));
        let verdict = verdict(m);
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

    /// One row more, or one probe of the search.
    fn count(&mut self) {
        match &mut self.of {
            Of::Rows(_) => self.at += 1,
            Of::Searches(_, probes) => *probes += 1,
        }
    }

    /// How many of how many.
    fn place(&self) -> String {
        match self.of {
            Of::Rows(rows) => format!("{}/{rows}", self.at),
            Of::Searches(searches, 0) => format!("{}/{searches}", self.at),
            Of::Searches(searches, probes) => format!("{}/{searches} probe {probes}", self.at),
        }
    }

    /// What happens now. The row first: what there is no room for is cut at the end.
    fn now(&self, row: &Row, what: &str) {
        self.live.say(&format!("{} {} {what}", row.id, self.place()));
    }

    /// Says something of the row.
    fn line(&self, row: &Row, text: &str) {
        if terminal::shows_progress() {
            self.warn(row, text);
        }
    }

    /// Says something of the row that is wrong with it.
    fn warn(&self, row: &Row, text: &str) {
        self.live.print(&format!("[{}] {:6} {text}", self.place(), row.id));
    }
}

/// PASS, or FAIL with its reasons.
fn verdict(m: &Metrics) -> String {
    match m.reasons() {
        none if none.is_empty() => m.status().to_string(),
        reasons => format!("{} ({reasons})", m.status()),
    }
}

/// What was kept of a row that does not run again, and how it would.
fn kept(row: &Row, record: &RunRecord) -> String {
    let m = &record.metrics;
    let peak = m.peak_vram_reserved_bytes.map_or("unknown".to_owned(), gib);
    let disturbed = if m.disturbance().is_some() { ", disturbed" } else { "" };
    let again = match m.stability_pass && disturbed.is_empty() {
        true => String::new(),
        false => format!("; --redo {} measures it again", row.id),
    };
    format!("finished before, kept: {}{disturbed}, peak reserved {peak} GiB{again}", verdict(m))
}

/// What a row does after so many steps.
fn stage(row: &Row, done: u64) -> String {
    let (next, of) = (done.saturating_add(1), row.steps());
    match next {
        _ if next > of => "writes results".to_owned(),
        _ if next <= row.row.warmup_steps => format!("warm-up {next}/{of}"),
        _ => format!("measure {next}/{of}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use vram_presets::library::Library;
    use vram_sweep::plan::{Plan, select};
    use vram_workload::device_kind::DeviceKind;

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

    #[test]
    fn a_row_goes_through_its_stages() {
        let library = Library::built_in();
        let sweep = library.sweep("vra34").unwrap().spec;
        let rows = select(&sweep, &["DP1".to_owned()]).unwrap();
        let plan = Plan::new(&library, DeviceKind::Cpu, rows, Path::new("out")).unwrap();
        let row = &plan.rows[0];
        let stages: Vec<String> = [0, 1, 2, 4, 5].map(|done| stage(row, done)).into();
        let expected =
            ["warm-up 1/5", "warm-up 2/5", "measure 3/5", "measure 5/5", "writes results"];
        assert_eq!(stages, expected);
    }
}
