//! Processes that are no more: what they held is the card's again.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use crate::protocol::{COUNTERS, Counters, Totals};

use super::levels::Of;
use super::shared_file;

/// A process that is no more and did not say so is marked with this.
const KILLED: u64 = 2;

/// Takes what a process holds out of what all hold.
pub fn subtract(of: &Counters, totals: &Totals) {
    let levels: [Of; 5] = [|c| &c.used, |c| &c.reserved, |c| &c.outside, |c| &c.asked, |c| &c.held];
    for (mine, all) in of.cards.iter().zip(&totals.cards) {
        for level in levels {
            level(all).now.fetch_sub(level(mine).now.load(Relaxed), Relaxed);
        }
    }
}

/// Does that for every process of the run that was killed, or became another program: those of `own`
/// number are earlier programs of this process.
pub fn give_back(directory: &Path, own: u32, totals: &Totals) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let pid = stem.and_then(|stem| stem.split('-').next()?.parse::<u32>().ok());
        let (Some(pid), true) = (pid, path.extension().is_some_and(|e| e == COUNTERS)) else {
            continue;
        };
        if pid != own && is_alive(pid) {
            continue;
        }
        let Ok(counters) = shared_file::map::<Counters>(&path) else { continue };
        // Another process may be about to do the same.
        if counters.ended.compare_exchange(0, KILLED, Relaxed, Relaxed).is_ok() {
            subtract(counters, totals);
        }
    }
}

/// Whether there is a process of this number that is not merely waited for.
fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
    !matches!(state, Some(Some('Z' | 'X')))
}
