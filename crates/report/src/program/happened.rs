//! What a report holds of any run, on a virtual card or a real one.

use serde::Serialize;
use vram_places::profile::Profile;
use vram_virtual_card::recording::{Failed, Mark, Process, Recording};

use super::places::PlacesAtPeak;

/// What happened, as it is reported.
#[derive(Debug, Serialize)]
pub(super) struct Happened<'a> {
    /// Calls that the driver refuses.
    pub wrong: Vec<&'a str>,
    /// Numbers of virtual cards that fell off the bus.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost_cards: Vec<usize>,
    /// Functions that are not modelled and were called.
    pub not_modelled: Vec<&'a str>,
    /// Allocations that had no room.
    pub failed: Vec<&'a Failed>,
    /// What was alive at the end.
    pub leaked: Leak,
    /// Marks of the process that asked for the most.
    pub marks: &'a [Mark],
    /// Where the bytes were at the peak, where stacks were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub places: Option<PlacesAtPeak<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Leak {
    pub allocations: u64,
    pub bytes: u64,
}

impl<'a> Happened<'a> {
    pub fn new(recording: &'a Recording, profile: Option<&'a Profile>) -> Self {
        let processes = &recording.processes;
        let all = |of: fn(&Process) -> &Vec<String>| -> Vec<&'a str> {
            processes.iter().flat_map(|process| of(process).iter().map(String::as_str)).collect()
        };
        Self {
            lost_cards: recording.lost_cards(),
            wrong: all(|process| &process.wrong),
            not_modelled: all(|process| &process.unmodelled),
            failed: processes.iter().flat_map(|process| &process.failed).collect(),
            leaked: Leak {
                allocations: processes.iter().map(|process| process.leaked).sum(),
                bytes: processes.iter().map(|process| process.leaked_bytes).sum(),
            },
            marks: processes.first().map_or(&[], |process| &process.marks),
            places: profile.map(PlacesAtPeak::new),
        }
    }
}
