//! A sweep as a person sees it while it runs: where, what, and how far it is.

use vram_report::units::gib;
use vram_sweep::device::SweepDevice;
use vram_sweep::event::Event;

use crate::place::say_device;
use crate::progress::Progress;
use crate::terminal;

/// Shows one event after another.
#[derive(Default)]
pub(crate) struct Shown {
    /// Names of the devices.
    labels: Vec<String>,
    progress: Option<Progress>,
}

impl Shown {
    /// Shows what happened.
    pub(crate) fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Devices(devices) => {
                self.labels = devices.iter().map(SweepDevice::label).collect();
                devices.iter().for_each(say_device);
            }
            Event::Directory(dir) => terminal::say(&format!("run directory: {}", dir.display())),
            Event::FreeBelowLimit { free, limit } => {
                let (free, limit) = (gib(free), gib(limit));
                terminal::say(&format!(
                    "{free} GiB are free now: a boundary between that and {limit} GiB is not seen"
                ));
            }
            Event::Rows(rows) => self.progress = Some(Progress::of_rows(rows, &self.labels)),
            Event::Searches(count) => {
                self.progress = Some(Progress::of_searches(count, &self.labels));
            }
            Event::Search(device, row) => {
                if let Some(progress) = &mut self.progress {
                    progress.search(device, row);
                }
            }
            Event::Row(device, row, what) => {
                if let Some(progress) = &mut self.progress {
                    progress.on(device, row, &what);
                }
            }
            Event::RowsOver => self.progress = None,
            _ => {}
        }
    }
}
