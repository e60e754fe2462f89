//! What a report on a trace holds: the same for a person and for a program.

use serde::Serialize;
use vram_places::profile::Profile;
use vram_virtual_card::recording::{CardPeaks, RealCard};
use vram_virtual_card::run::Ending;
use vram_virtual_card::trace::Traced;

use super::happened::Happened;

/// A trace, as it is reported.
#[derive(Debug, Serialize)]
pub(super) struct TraceContents<'a> {
    /// The program and its arguments.
    pub program: &'a [String],
    /// The cards that it used.
    pub real_cards: &'a [RealCard],
    /// As the driver counts: 13000 is 13.0. None where nothing of CUDA was called.
    pub driver_version: Option<u32>,
    pub ending: Ending,
    /// Peaks of each card.
    pub cards: &'a [CardPeaks],
    pub peak_used_bytes: u64,
    /// What pools said at marks, at most.
    pub peak_reserved_bytes: u64,
    pub outside_pool_bytes: u64,
    pub pinned_host_bytes: u64,
    /// Requests until the peak, and in all.
    pub peak_at_request: u64,
    pub requests: u64,
    /// By how many bytes, at most, what went by was not what a pool said; none where no pool was asked.
    pub difference_bytes: Option<u64>,
    /// Functions that were called and allocate what is not counted.
    pub uncounted: Vec<&'a str>,
    #[serde(flatten)]
    pub happened: Happened<'a>,
}

impl<'a> TraceContents<'a> {
    pub fn new(program: &'a [String], traced: &'a Traced, profile: Option<&'a Profile>) -> Self {
        let recording = &traced.run.recording;
        let most = |of| CardPeaks::most(&recording.cards, of);
        let processes = &recording.processes;
        let first = processes.first();
        Self {
            program,
            real_cards: &traced.cards,
            driver_version: traced.driver_version,
            ending: traced.run.ending,
            cards: &recording.cards,
            peak_used_bytes: most(|card| card.used),
            peak_reserved_bytes: most(|card| card.reserved),
            outside_pool_bytes: most(|card| card.outside),
            pinned_host_bytes: processes.iter().map(|p| p.pinned_bytes).max().unwrap_or(0),
            peak_at_request: first.map_or(0, |process| process.at_peak.requests),
            requests: first.map_or(0, |process| process.tally.requests),
            difference_bytes: traced.difference(),
            uncounted: processes
                .iter()
                .flat_map(|process| process.uncounted.iter().map(String::as_str))
                .collect(),
            happened: Happened::new(recording, profile),
        }
    }
}
