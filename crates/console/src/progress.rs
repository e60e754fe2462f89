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

/// Rows that come one after another, on each device.
pub(crate) struct Progress {
    live: Live,
    pace: Pace,
    of: Of,
    at: usize,
    devices: Vec<Lane>,
}

/// A device, and how many steps of its row are over.
struct Lane {
    label: String,
    steps: u64,
    /// Probes of its search so far.
    probes: u32,
}

/// What there is to do.
enum Of {
    /// So many rows.
    Rows(usize),
    /// So many searches, each of as many probes as it takes.
    Searches(usize),
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

impl Progress {
    /// Of rows that are to be measured on these devices.
    pub(crate) fn of_rows(rows: &[Row], devices: &[String]) -> Self {
        let steps = rows.iter().map(Row::steps).sum();
        let left = rows.iter().map(Row::whole_work).sum();
        Self::new(Of::Rows(rows.len()), Some(steps), left, devices)
    }

    /// Of searches, of which nobody knows how long they take.
    pub(crate) fn of_searches(count: usize, devices: &[String]) -> Self {
        Self::new(Of::Searches(count), None, 0.0, devices)
    }

    fn new(of: Of, steps: Option<u64>, work: f64, devices: &[String]) -> Self {
        let lane = |label: &String| Lane { label: label.clone(), steps: 0, probes: 0 };
        Self {
            live: Live::new(steps, devices.len()),
            pace: Pace { left: work, done: 0.0, seconds: 0.0 },
            of,
            at: 0,
            devices: devices.iter().map(lane).collect(),
        }
    }

    /// The next search begins.
    pub(crate) fn search(&mut self, device: usize, row: &Row) {
        self.at += 1;
        self.devices[device].probes = 0;
        self.now(device, row, "");
    }

    /// Shows what happened to a row.
    pub(crate) fn on(&mut self, device: usize, row: &Row, event: &RowEvent<'_>) {
        match event {
            RowEvent::FinishedBefore(record) => self.skip(device, row, &kept(row, record)),
            RowEvent::Redone => {
                self.line(device, row, "runs again: what was there is kept aside");
            }
            RowEvent::Unfinished(why) => self.line(device, row, &format!("runs again: {why}")),
            RowEvent::DoesNotFit(shortage) => {
                self.skip(device, row, &format!("not run: {shortage}"));
            }
            RowEvent::Counting => self.now(device, row, "dry run on a virtual card"),
            RowEvent::NotCounted(why) => {
                self.line(device, row, &format!("nothing is predicted by a dry run: {why}"));
            }
            RowEvent::Started(shortage) => self.start(device, row, *shortage),
            RowEvent::Computing => {
                self.now(device, row, &format!("{}, touches memory", stage(row, 0)));
            }
            RowEvent::RanOnVirtualCard => self.line(
                device,
                row,
                "runs again: what is there ran on a virtual card, which is no measurement",
            ),
            RowEvent::Step(step) => self.step(device, row, step),
            RowEvent::Measured(record) => self.done(device, row, record),
            RowEvent::Lost(why) => self.over(device, row, &format!("LOST  {why}")),
            RowEvent::Interrupted => self.over(device, row, "interrupted"),
            RowEvent::CardLost => self.card_lost(device, row),
            _ => {}
        }
    }

    /// The row does not run.
    fn skip(&mut self, device: usize, row: &Row, why: &str) {
        self.begins(device);
        self.ends();
        self.pace.left -= row.whole_work();
        self.live.advance(row.steps());
        self.line(device, row, why);
    }

    /// The row begins.
    fn start(&mut self, device: usize, row: &Row, shortage: Option<&Shortage>) {
        self.begins(device);
        self.devices[device].steps = 0;
        self.now(device, row, "starts");
        match (&row.forecast, row.predicted()) {
            (None, None) => {
                self.line(device, row, &format!("runs without a prediction: {NO_LEDGER}"));
            }
            (None, Some(bytes)) => {
                let text = format!("{} GiB by a dry run on a virtual card", gib(bytes));
                self.line(device, row, &text);
            }
            (Some(_), _) => {}
        }
        if let Some(shortage) = shortage {
            self.line(device, row, &format!("runs all the same: {shortage}"));
        }
    }

    /// A step of the row is over.
    fn step(&mut self, device: usize, row: &Row, step: &Step) {
        if let Some(seconds) = step.seconds {
            self.pace.step(row.work(), seconds);
        }
        self.devices[device].steps += 1;
        self.live.advance(1);
        let peak = step.peak_reserved_bytes.map(|bytes| format!(", {} GiB", gib(bytes)));
        let left = if self.is_one() { self.time_left() } else { String::new() };
        let stage = stage(row, step.step);
        self.now(device, row, &format!("{stage}{left}{}", peak.unwrap_or_default()));
    }

    /// The row has its artifacts.
    fn done(&mut self, device: usize, row: &Row, record: &RunRecord) {
        self.ends();
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
            true => self.line(device, row, &text),
            false => self.warn(device, row, &text),
        }
    }

    /// The row has no artifacts.
    fn over(&mut self, device: usize, row: &Row, why: &str) {
        self.ends();
        self.warn(device, row, why);
    }

    /// The row's card is gone, and what was done of the row with it.
    fn card_lost(&mut self, device: usize, row: &Row) {
        let label = &self.devices[device].label;
        self.live.say_of(device, &format!("{label} has fallen off the bus"));
        let others = if self.is_one() { "" } else { "; the row goes to another" };
        let text = format!("{label} has fallen off the bus{others}");
        self.warn(device, row, &text);
        let steps = std::mem::take(&mut self.devices[device].steps);
        self.live.go_back(steps);
        self.pace.left += row.work() * steps as f64;
    }

    /// A row begins, or a probe of a search. Of rows that run one after another it is the next one.
    fn begins(&mut self, device: usize) {
        match self.of {
            Of::Rows(_) => self.at += usize::from(self.is_one()),
            Of::Searches(_) => self.devices[device].probes += 1,
        }
    }

    /// A row is over. Of rows that run beside each other those are counted that are.
    fn ends(&mut self) {
        if let Of::Rows(_) = self.of {
            self.at += usize::from(!self.is_one());
        }
    }

    fn is_one(&self) -> bool {
        self.devices.len() == 1
    }

    /// How many of how many.
    fn place(&self) -> String {
        let (Of::Rows(of) | Of::Searches(of)) = self.of;
        format!("{}/{of}", self.at)
    }

    /// The same of a device: in a search with its probes.
    fn place_on(&self, device: usize) -> String {
        match (&self.of, self.devices[device].probes) {
            (Of::Rows(_), _) | (_, 0) => self.place(),
            (Of::Searches(_), probes) => format!("{} probe {probes}", self.place()),
        }
    }

    /// Time that all rows take yet, after a comma; nothing while nobody knows.
    fn time_left(&self) -> String {
        let left = self.pace.time_left().map(|left| left / self.devices.len().max(1) as u32);
        match (&self.of, left) {
            (Of::Rows(_), Some(left)) => format!(", {} left", brief(left)),
            _ => String::new(),
        }
    }

    /// What happens now. The row first: what there is no room for is cut at the end.
    fn now(&self, device: usize, row: &Row, what: &str) {
        if self.is_one() {
            return self.live.say(&format!("{} {} {what}", row.id, self.place_on(device)));
        }
        self.live.say(&format!("{}{}", self.place(), self.time_left()));
        let Lane { label, probes, .. } = &self.devices[device];
        let probe = if *probes > 0 { format!("probe {probes} ") } else { String::new() };
        self.live.say_of(device, &format!("{label} {} {probe}{what}", row.id));
    }

    /// Says something of the row.
    fn line(&self, device: usize, row: &Row, text: &str) {
        if terminal::shows_progress() {
            self.warn(device, row, text);
        }
    }

    /// Says something of the row that is wrong with it.
    fn warn(&self, device: usize, row: &Row, text: &str) {
        let place = self.place_on(device);
        let on = match self.is_one() {
            true => String::new(),
            false => format!("{}  ", self.devices[device].label),
        };
        self.live.print(&format!("[{place}] {:6} {on}{text}", row.id));
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
