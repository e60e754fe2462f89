//! A recording, read from the files that the stand-in wrote.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{DryRunError, file};
use crate::pool::PoolSettings;
use crate::protocol::{self, CardLevels, Counters, Level, Totals};
use crate::recording::{
    CardPeaks, Counted, Failed, Mark, MarkKind, MarkLevels, Process, RealCard, Recording, Tally,
};
use crate::requests_file;

fn peak(level: &Level) -> u64 {
    level.peak.load(std::sync::atomic::Ordering::Relaxed)
}

fn peaks(card: &CardLevels) -> CardPeaks {
    CardPeaks {
        used: peak(&card.used),
        reserved: peak(&card.reserved),
        outside: peak(&card.outside),
        asked: peak(&card.asked),
        held: peak(&card.held),
    }
}

fn tally(of: &protocol::Tally) -> Tally {
    let get =
        |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
    Tally {
        requests: get(&of.requests),
        marks: get(&of.marks),
        computed_bytes_read: get(&of.computed_bytes_read),
        times_read: get(&of.times_read),
        free_memory_read: get(&of.free_memory_read),
        unrecorded_attributes: get(&of.unrecorded_attributes),
        unmodelled_calls: get(&of.unmodelled_calls),
        shared_allocations: get(&of.shared_allocations),
        failed_allocations: get(&of.failed_allocations),
        threads: get(&of.threads),
        streams: get(&of.streams),
    }
}

/// A value that the stand-in keeps in a file.
trait Kept: Default {}
impl Kept for Counters {}
impl Kept for Totals {}

fn kept<T: Kept>(path: &Path) -> Result<T, DryRunError> {
    let bytes = fs::read(path).map_err(file("read", path))?;
    let mut value = T::default();
    if bytes.len() != size_of::<T>() {
        let what = format!("{} bytes, not {}", bytes.len(), size_of::<T>());
        return Err(DryRunError::Recording { path: path.to_owned(), what });
    }
    // SAFETY: both types are atomic integers alone, which any bytes are; as many are copied as the
    // value has.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut value).cast(), bytes.len()) };
    Ok(value)
}

/// Of the directory that a run was given.
///
/// # Errors
///
/// [`DryRunError::File`] if it cannot be read, [`DryRunError::Recording`] if it is not the stand-in's.
pub(crate) fn recording(directory: &Path) -> Result<Recording, DryRunError> {
    let mut processes = Vec::new();
    let mut used_after_fork = false;
    let entries = fs::read_dir(directory).map_err(file("list", directory))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_none_or(|extension| extension != protocol::EVENTS) {
            continue;
        }
        if path.file_stem().is_some_and(|stem| stem == "copy") {
            used_after_fork = true;
            continue;
        }
        // A process that was killed before it wrote anything down did nothing.
        if let Some(process) = process(&path)? {
            processes.push(process);
        }
    }
    processes.sort_by_key(|process| (std::cmp::Reverse(process.tally.requests), process.pid));
    let totals = directory.join(protocol::TOTALS_FILE);
    let cards = match processes.is_empty() {
        true => Vec::new(),
        false => kept::<Totals>(&totals)?.cards.iter().map(peaks).collect(),
    };
    Ok(Recording { cards: in_use(cards), processes, used_after_fork })
}

/// Up to the last card of which anything was held.
fn in_use(mut cards: Vec<CardPeaks>) -> Vec<CardPeaks> {
    while cards.last().is_some_and(|card| card.held == 0 && card.asked == 0) {
        cards.pop();
    }
    cards
}

fn process(events: &Path) -> Result<Option<Process>, DryRunError> {
    let text = fs::read_to_string(events).map_err(file("read", events))?;
    let counters: Counters = match kept(&events.with_extension(protocol::COUNTERS)) {
        Ok(counters) => counters,
        Err(_) if text.is_empty() => return Ok(None),
        Err(error) => return Err(error),
    };
    let get =
        |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
    let mut process = Process {
        pid: 0,
        program: PathBuf::new(),
        ended: get(&counters.ended) == 1,
        cards: in_use(counters.cards.iter().map(peaks).collect()),
        pinned_bytes: peak(&counters.pinned),
        tally: tally(&counters.so_far),
        at_peak: tally(&counters.at_peak),
        leaked: get(&counters.live),
        leaked_bytes: get(&counters.live_bytes),
        marks: Vec::new(),
        settings: None,
        pools: Vec::new(),
        unmodelled: Vec::new(),
        attributes: Vec::new(),
        shared: Vec::new(),
        kernels: Vec::new(),
        failed: Vec::new(),
        lost_cards: Vec::new(),
        wrong: Vec::new(),
        libraries: Vec::new(),
        private_tables: false,
        real_cards: Vec::new(),
        driver_version: None,
        uncounted: Vec::new(),
        lacks_driver: false,
        requests: requests_file::requests(events)?,
    };
    // The last line of a process that was killed may be half a line.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        process.take(line).ok_or_else(|| DryRunError::Recording {
            path: events.to_owned(),
            what: format!("the line `{line}`"),
        })?;
    }
    Ok(Some(process))
}

impl Process {
    /// Takes one event in. `None` if it is none.
    fn take(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.split('\t').collect();
        let (what, rest) = fields.split_first()?;
        let text = || rest.first().map(|text| (*text).to_owned());
        match *what {
            "start" => {
                self.pid = rest.first()?.parse().ok()?;
                self.program = PathBuf::from(rest.get(1)?);
            }
            "mark" => self.marks.push(mark(MarkKind::Mark, rest)?),
            "sync" => self.marks.push(mark(MarkKind::Sync, rest)?),
            "end" => self.marks.push(mark(MarkKind::End, rest)?),
            "settings" => self.settings = Some(settings(rest)?),
            "pool" => self.pools.push(text()?),
            "unmodelled" => self.unmodelled.push(text()?),
            "attribute" => self.attributes.push(text()?),
            "shared" => self.shared.push(text()?),
            "function" => self.kernels.push(text()?),
            "library" => self.libraries.push(text()?),
            "private_tables" => self.private_tables = true,
            "counted" => self.marks.last_mut()?.counted.push(counted(rest)?),
            "card" => self.real_cards.push(real_card(rest)?),
            "driver" => self.driver_version = rest.first()?.parse().ok(),
            "no_driver" => self.lacks_driver = true,
            "uncounted" => self.uncounted.push(text()?),
            "lost" => self.lost_cards.push(rest.first()?.parse().ok()?),
            "wrong" => self.wrong.push(rest.join(", ")),
            "failed" => self.failed.push(Failed {
                what: text()?,
                card: rest.get(1)?.parse().ok()?,
                bytes: rest.get(2)?.parse().ok()?,
                held: rest.get(3)?.parse().ok()?,
            }),
            _ => return None,
        }
        Some(())
    }
}

fn settings(fields: &[&str]) -> Option<PoolSettings> {
    let [_card, threshold, follow, opportunistic, internal] = fields else { return None };
    Some(PoolSettings {
        release_threshold: threshold.parse().ok()?,
        reuse_follow_event_dependencies: follow.parse().ok()?,
        reuse_allow_opportunistic: opportunistic.parse().ok()?,
        reuse_allow_internal_dependencies: internal.parse().ok()?,
    })
}

fn real_card(fields: &[&str]) -> Option<RealCard> {
    let [card, name, memory] = fields else { return None };
    let memory_bytes = memory.parse().ok()?;
    Some(RealCard { card: card.parse().ok()?, name: (*name).to_owned(), memory_bytes })
}

fn counted(fields: &[&str]) -> Option<Counted> {
    let (card, numbers) = fields.split_first()?;
    let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let (levels, memory) = numbers.split_first_chunk()?;
    let [used, used_high, reserved, reserved_high, went_by, went_by_high, elsewhere] = *levels;
    Some(Counted {
        card: card.parse().ok()?,
        used,
        used_high,
        reserved,
        reserved_high,
        went_by,
        went_by_high,
        elsewhere,
        free: memory.first().copied(),
        total: memory.get(1).copied(),
    })
}

fn mark(kind: MarkKind, fields: &[&str]) -> Option<Mark> {
    let (name, rest) = fields.split_first()?;
    let [steps, requests, requested_bytes, hash, read, levels @ ..] = rest else { return None };
    let levels: Vec<u64> = levels.iter().map(|level| level.parse().ok()).collect::<Option<_>>()?;
    let cards = levels.chunks(6).map(|levels| {
        let [used, used_peak, reserved, reserved_peak, outside, outside_peak] = *levels else {
            return None;
        };
        Some(MarkLevels { used, used_peak, reserved, reserved_peak, outside, outside_peak })
    });
    Some(Mark {
        kind,
        name: (*name).to_owned(),
        steps: steps.parse().ok()?,
        requests: requests.parse().ok()?,
        requested_bytes: requested_bytes.parse().ok()?,
        requests_hash: u64::from_str_radix(hash, 16).ok()?,
        computed_bytes_read: read.parse().ok()?,
        cards: cards.collect::<Option<_>>()?,
        counted: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let fields: Vec<&str> = "forward\t9\t7\t100\tff\t4\t1\t2\t3\t4\t5\t6".split('\t').collect();
        let mark = mark(MarkKind::Mark, &fields).unwrap();
        assert_eq!((mark.name.as_str(), mark.requests, mark.requests_hash), ("forward", 7, 255));
        assert_eq!(mark.steps, 9);
        assert_eq!(mark.cards[0].reserved_peak, 4);
        assert!(super::mark(MarkKind::Mark, &fields[..11]).is_none());
    }

    #[test]
    fn what_a_pool_says_is_held_against_what_went_by() {
        let fields: Vec<&str> = "1\t10\t30\t64\t96\t10\t28\t5\t100\t200".split('\t').collect();
        let all = counted(&fields).unwrap();
        assert_eq!((all.card, all.reserved_high, all.elsewhere), (1, 96, 5));
        assert_eq!((all.free, all.total, all.difference()), (Some(100), Some(200), 2));
        assert_eq!(counted(&fields[..8]).unwrap().free, None);
        assert!(counted(&fields[..7]).is_none());
    }

    #[test]
    fn a_run_that_wrote_nothing_has_no_process() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("1.events"), "").unwrap();
        let recording = super::recording(directory.path()).unwrap();
        assert!(recording.processes.is_empty() && recording.cards.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_in_a_recording_is_an_answer(text in "[a-z]{0,6}(\t[a-z0-9]{0,4}){0,12}\n") {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("1.events"), text).unwrap();
            let zeros = vec![0; size_of::<Counters>()];
            fs::write(directory.path().join("1.counters"), zeros).unwrap();
            fs::write(directory.path().join("totals"), vec![0; size_of::<Totals>()]).unwrap();
            let _ = recording(directory.path());
        }
    }
}
