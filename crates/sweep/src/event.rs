//! What happens in a sweep, as it does, for whoever shows it.

use std::path::Path;

use vram_artifacts::events::Step;
use vram_artifacts::run_record::RunRecord;

use crate::device::SweepDevice;
use crate::plan::Row;
use crate::preflight::Shortage;

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The rows will run here: on each one row at a time.
    Devices(&'a [SweepDevice]),
    /// Everything that can be refused has been; rows go into this directory.
    Directory(&'a Path),
    /// A search cannot see between these: memory of the device that is free now, and the limit, in
    /// bytes.
    FreeBelowLimit {
        /// What is free now.
        free: u64,
        /// The limit of the search.
        limit: u64,
    },
    /// These rows come next.
    Rows(&'a [Row]),
    /// Something about a row, on the device of this number among those of [`Event::Devices`].
    Row(usize, &'a Row, RowEvent<'a>),
    /// So many searches for the largest batch come next, each of as many rows as it takes.
    Searches(usize),
    /// The next of them begins, for this row's workload, on the device of this number.
    Search(usize, &'a Row),
    /// The rows or searches that came are over.
    RowsOver,
}

/// Something about a row.
#[derive(Debug)]
#[non_exhaustive]
pub enum RowEvent<'a> {
    /// It was measured before and does not run again.
    FinishedBefore(&'a RunRecord),
    /// What is there of it is moved aside and it runs again, because that was asked for.
    Redone,
    /// What is there of it is moved aside and it runs again: it cannot be read, and why.
    Unfinished(&'a str),
    /// A virtual card counts its step.
    Counting,
    /// No virtual card could, and why.
    NotCounted(&'a str),
    /// It is predicted not to fit and does not run.
    DoesNotFit(&'a Shortage),
    /// Its process starts; with why it is predicted not to fit, where it runs all the same.
    Started(Option<&'a Shortage>),
    /// Its process has its device and begins to compute.
    Computing,
    /// It ran before, on a virtual card, which is no measurement: it runs again.
    RanOnVirtualCard,
    /// A step of it is over.
    Step(&'a Step),
    /// It has its artifacts.
    Measured(&'a RunRecord),
    /// It has none.
    Lost(&'a str),
    /// It was ended because the sweep was.
    Interrupted,
    /// Its card fell off the bus while it ran, which says nothing of the row: it runs on another card, if
    /// there is one.
    CardLost,
}

/// Who is told, by whichever thread something happens in.
pub type Listener<'a> = &'a mut (dyn FnMut(Event<'_>) + Send);
