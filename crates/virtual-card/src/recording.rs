//! What a run left behind: the counters and events of its processes.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{DryRunError, file};
use crate::protocol::{self, CardLevels, Counters, Level, Totals};

/// The most that was held of one card, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CardPeaks {
    /// Asked for of pools: what candle calls allocated.
    pub used: u64,
    /// Held by pools, as the model of the driver's pool has it.
    pub reserved: u64,
    /// Held outside pools: `cuMemAlloc` in its granules, managed and mapped memory.
    pub outside: u64,
    /// The peak of the sum of reserved, outside, contexts and libraries.
    pub held: u64,
}

/// Of one process, or of all at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Allocations asked for.
    pub requests: u64,
    /// Marks, set or taken at synchronisations.
    pub marks: u64,
    /// Computed bytes that the host read.
    pub computed_bytes_read: u64,
    /// Times of events that the host read.
    pub times_read: u64,
    /// Questions for the free memory.
    pub free_memory_read: u64,
    /// Attributes asked for that are not recorded for the card.
    pub unrecorded_attributes: u64,
    /// Calls of functions that are not modelled.
    pub unmodelled_calls: u64,
    /// Allocations that the host sees without a call.
    pub shared_allocations: u64,
    /// Allocations that did not fit.
    pub failed_allocations: u64,
    /// Threads that allocated.
    pub threads: u64,
    /// Streams that were allocated on.
    pub streams: u64,
}

/// What a mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// Set by the program.
    Mark,
    /// The host waited for the card.
    Sync,
    /// The end of the process.
    End,
}

/// What a card held at a mark, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MarkLevels {
    /// Asked for of pools, then.
    pub used: u64,
    /// The most until then.
    pub used_peak: u64,
    /// Held by pools, then.
    pub reserved: u64,
    /// The most until then.
    pub reserved_peak: u64,
    /// Held outside pools, then.
    pub outside: u64,
    /// The most until then.
    pub outside_peak: u64,
}

/// What was held at a point of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Who set it.
    pub kind: MarkKind,
    /// Its name; empty where nobody gave one.
    pub name: String,
    /// Allocations asked for until then.
    pub requests: u64,
    /// Their bytes.
    pub requested_bytes: u64,
    /// A sum over the sizes of all requests, the same in whichever order they came.
    #[serde(skip)]
    pub requests_hash: u64,
    /// Computed bytes that the host had read.
    pub computed_bytes_read: u64,
    /// By number.
    pub cards: Vec<MarkLevels>,
}

/// An allocation that the card had no room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// `an allocation` or `a context`.
    pub what: String,
    /// The card's number.
    pub card: usize,
    /// Bytes that were asked for.
    pub bytes: u64,
    /// Bytes of the card that were held, by whomever.
    pub held: u64,
}

/// How a program set a pool up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PoolSettings {
    /// Bytes that the pool may keep at a synchronisation.
    pub release_threshold: u64,
    /// Whether it reuses memory by the order of events.
    pub reuse_follow_event_dependencies: bool,
    /// Whether it reuses memory that happens to be free already.
    pub reuse_allow_opportunistic: bool,
    /// Whether it inserts waits to reuse memory.
    pub reuse_allow_internal_dependencies: bool,
}

impl PoolSettings {
    /// As the driver makes a pool.
    pub const DEFAULT: Self = Self {
        release_threshold: 0,
        reuse_follow_event_dependencies: true,
        reuse_allow_opportunistic: true,
        reuse_allow_internal_dependencies: true,
    };

    /// Whether the model of the pool was held against a card with these.
    pub fn are_validated(&self) -> bool {
        self.release_threshold == u64::MAX
            && !self.reuse_allow_opportunistic
            && !self.reuse_allow_internal_dependencies
    }
}

/// One process that used CUDA.
#[derive(Debug, Clone, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program's file.
    pub program: PathBuf,
    /// Whether it came to its end by itself.
    pub ended: bool,
    /// What it held of each card, at most.
    pub cards: Vec<CardPeaks>,
    /// Page-locked bytes of the host, at most.
    pub pinned_bytes: u64,
    /// What happened in all.
    pub tally: Tally,
    /// What had happened when it held the most.
    pub at_peak: Tally,
    /// Allocations that were alive at the end.
    pub leaked: u64,
    /// Their bytes.
    pub leaked_bytes: u64,
    /// Marks in their order.
    pub marks: Vec<Mark>,
    /// The last settings that the program made of a pool, if it made any.
    pub settings: Option<PoolSettings>,
    /// What it did with pools besides.
    pub pools: Vec<String>,
    /// Functions that it called and that are not modelled.
    pub unmodelled: Vec<String>,
    /// Attributes of the card or of kernels that are not recorded.
    pub attributes: Vec<String>,
    /// Kinds of memory that the host sees without a call.
    pub shared: Vec<String>,
    /// Kernels that it looked up by name.
    pub kernels: Vec<String>,
    /// Allocations that did not fit.
    pub failed: Vec<Failed>,
    /// Calls that the driver refuses, such as a second free.
    pub wrong: Vec<String>,
    /// NVIDIA's own libraries that it loaded all the same.
    pub libraries: Vec<String>,
    /// Whether it asked for the driver's tables that no header names.
    pub private_tables: bool,
}

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Recording {
    /// The most that all processes together held, of each card.
    pub cards: Vec<CardPeaks>,
    /// Those that used CUDA, the one that asked for the most first.
    pub processes: Vec<Process>,
    /// Whether a copy of a process called CUDA after it.
    pub used_after_fork: bool,
}

fn peak(level: &Level) -> u64 {
    level.peak.load(std::sync::atomic::Ordering::Relaxed)
}

fn peaks(card: &CardLevels) -> CardPeaks {
    CardPeaks {
        used: peak(&card.used),
        reserved: peak(&card.reserved),
        outside: peak(&card.outside),
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

impl Recording {
    /// Of the directory that a run was given.
    ///
    /// # Errors
    ///
    /// [`DryRunError::File`] if it cannot be read, [`DryRunError::Recording`] if it is not the
    /// stand-in's.
    pub(crate) fn read(directory: &Path) -> Result<Self, DryRunError> {
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
            if let Some(process) = Process::read(&path)? {
                processes.push(process);
            }
        }
        processes.sort_by_key(|process| (std::cmp::Reverse(process.tally.requests), process.pid));
        let totals = directory.join(protocol::TOTALS_FILE);
        let cards = match processes.is_empty() {
            true => Vec::new(),
            false => kept::<Totals>(&totals)?.cards.iter().map(peaks).collect(),
        };
        Ok(Self { cards: in_use(cards), processes, used_after_fork })
    }
}

/// Up to the last card of which anything was held.
fn in_use(mut cards: Vec<CardPeaks>) -> Vec<CardPeaks> {
    while cards.last().is_some_and(|card| card.held == 0) {
        cards.pop();
    }
    cards
}

impl Process {
    fn read(events: &Path) -> Result<Option<Self>, DryRunError> {
        let text = fs::read_to_string(events).map_err(file("read", events))?;
        let counters: Counters = match kept(&events.with_extension(protocol::COUNTERS)) {
            Ok(counters) => counters,
            Err(_) if text.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        };
        let get =
            |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        let mut process = Self {
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
            wrong: Vec::new(),
            libraries: Vec::new(),
            private_tables: false,
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

fn mark(kind: MarkKind, fields: &[&str]) -> Option<Mark> {
    let (name, rest) = fields.split_first()?;
    let [requests, requested_bytes, hash, read, levels @ ..] = rest else { return None };
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
        requests: requests.parse().ok()?,
        requested_bytes: requested_bytes.parse().ok()?,
        requests_hash: u64::from_str_radix(hash, 16).ok()?,
        computed_bytes_read: read.parse().ok()?,
        cards: cards.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let fields: Vec<&str> = "forward\t7\t100\tff\t4\t1\t2\t3\t4\t5\t6".split('\t').collect();
        let mark = mark(MarkKind::Mark, &fields).unwrap();
        assert_eq!((mark.name.as_str(), mark.requests, mark.requests_hash), ("forward", 7, 255));
        assert_eq!(mark.cards[0].reserved_peak, 4);
        assert!(super::mark(MarkKind::Mark, &fields[..10]).is_none());
    }

    #[test]
    fn a_run_that_wrote_nothing_has_no_process() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("1.events"), "").unwrap();
        let recording = Recording::read(directory.path()).unwrap();
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
            let _ = Recording::read(directory.path());
        }
    }
}
