//! The calls of a dry run as a file that `vram replay` plays.

use std::fs;
use std::path::Path;

use vram_console::terminal;
use vram_replay::recorded::sequence_of;
use vram_virtual_card::run::Run;

/// Writes those of the process that asked for the most, to the pools of the card that it held most of.
/// Returns whether there is a file now; why there is none is said.
pub(crate) fn write(file: &Path, run: &Run) -> bool {
    let process = run.recording.processes.first();
    let Some((process, requests)) = process.and_then(|of| Some((of, of.requests.as_ref()?))) else {
        terminal::warn(&format!("{} is not written: there were no calls", file.display()));
        return false;
    };
    // Of equal ones the first.
    let most = process.cards.iter().map(|card| card.held).max();
    let card = process.cards.iter().position(|card| Some(card.held) == most).unwrap_or(0);
    let lines = sequence_of(requests, u32::try_from(card).unwrap_or(u32::MAX));
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    match fs::write(file, text) {
        Ok(()) => true,
        Err(error) => {
            terminal::warn(&format!("error: cannot write {}: {error}", file.display()));
            false
        }
    }
}
