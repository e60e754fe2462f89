//! How far the peak of a dry run can be trusted.

use serde::Serialize;

use crate::recording::{CardPeaks, Mark, MarkKind, Process, Tally};
use crate::run::Run;

/// What may be said of the peak of what a program asks for, of pools and outside of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing that bears on it was read before the peak, and every run was the same.
    Exact,
    /// Something was read, or the program did what is not modelled; it changed nothing.
    SameUnderFills {
        /// Runs with values of their own that count, all alike.
        fills: usize,
    },
    /// Runs with other values ask for other memory.
    DependsOnValues(Seen),
    /// Runs with the same values ask for other memory: what decides it is none of the card's.
    DiffersBetweenEqualRuns(Seen),
    /// There was one run.
    NotCompared,
}

/// What was seen of a peak that varies. It is no bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The lowest peak of bytes asked for.
    pub least: u64,
    /// The highest.
    pub most: u64,
    /// The first mark at which runs part.
    pub parts_at: Option<String>,
}

/// Why a peak is not exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "what", rename_all = "snake_case")]
pub enum Reason {
    /// The host read bytes that a kernel would have written.
    ComputedRead(u64),
    /// The host read times of events.
    TimesRead(u64),
    /// The program asked how much memory is free.
    FreeMemoryRead(u64),
    /// It asked for attributes that are not recorded for the card.
    AttributesNotRecorded(Vec<String>),
    /// It called functions that are not modelled.
    NotModelled(Vec<String>),
    /// The host sees memory of the card without a call.
    SharedMemory(Vec<String>),
    /// Allocations failed.
    AllocationFailed(u64),
    /// Cards of these numbers fell off the bus.
    CardsLost(Vec<usize>),
    /// Several threads allocated: their order is the system's.
    Threads(u64),
    /// Memory was allocated on several streams.
    Streams(u64),
    /// Several processes were on the card.
    Processes(usize),
    /// A run did not end by itself with exit code 0.
    Ended(String),
    /// A process was killed, or left without its destructors.
    EndedAbruptly,
    /// Runs with values of their own that ended before the peak, and count for none.
    EndedBeforeThePeak(usize),
}

/// Why there is no verdict at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "what", rename_all = "snake_case")]
pub enum Refusal {
    /// No process called CUDA.
    NoCuda,
    /// CUDA was called, and nothing was allocated.
    NothingAllocated,
    /// NVIDIA's own libraries were loaded: what they allocate was not seen.
    RealLibraries(Vec<String>),
    /// It works by the driver's tables that no header names: a statically linked cudart, PyTorch.
    PrivateTables,
    /// A copy of a process that had used CUDA used it again, which the driver refuses.
    UsedAfterFork,
}

/// Why nothing can be said of a run.
pub fn refusal(run: &Run) -> Option<Refusal> {
    let processes = &run.recording.processes;
    let libraries: Vec<String> =
        processes.iter().flat_map(|process| process.libraries.clone()).collect();
    if !libraries.is_empty() {
        return Some(Refusal::RealLibraries(libraries));
    }
    if processes.iter().any(|process| process.private_tables) {
        return Some(Refusal::PrivateTables);
    }
    if run.recording.used_after_fork {
        return Some(Refusal::UsedAfterFork);
    }
    if processes.is_empty() {
        return Some(Refusal::NoCuda);
    }
    let asked: u64 = processes.iter().map(|process| process.tally.requests).sum();
    (asked == 0).then_some(Refusal::NothingAllocated)
}

/// The verdict on runs of one program, the first two with the same values, and why it is not better.
pub fn verdict(runs: &[Run]) -> (Verdict, Vec<Reason>) {
    let Some((first, others)) = runs.split_first() else {
        return (Verdict::NotCompared, Vec::new());
    };
    let mut reasons = reasons(first);
    let (early, whole): (Vec<&Run>, Vec<&Run>) =
        others.iter().partition(|run| ends_before_the_peak(first, run));
    let (equal, counting): (Vec<&Run>, Vec<&Run>) =
        whole.iter().partition(|run| run.fill == first.fill);
    if !early.is_empty() {
        reasons.push(Reason::EndedBeforeThePeak(early.len()));
    }
    for run in &whole {
        for reason in self::reasons(run) {
            if !reasons.iter().any(|r| std::mem::discriminant(r) == std::mem::discriminant(&reason))
            {
                reasons.push(reason);
            }
        }
    }
    let verdict = if whole.is_empty() {
        Verdict::NotCompared
    } else if let Some(parts_at) = equal.iter().find_map(|run| parting(first, run)) {
        Verdict::DiffersBetweenEqualRuns(seen(runs, parts_at))
    } else if let Some(parts_at) = counting.iter().find_map(|run| parting(first, run)) {
        Verdict::DependsOnValues(seen(runs, parts_at))
    } else if !equal.is_empty()
        && reasons.iter().all(|reason| matches!(reason, Reason::EndedBeforeThePeak(_)))
    {
        Verdict::Exact
    } else {
        Verdict::SameUnderFills { fills: counting.len() }
    };
    (verdict, reasons)
}

fn seen(runs: &[Run], parts_at: String) -> Seen {
    let peaks = || runs.iter().map(asked_peak);
    Seen {
        least: peaks().min().unwrap_or(0),
        most: peaks().max().unwrap_or(0),
        parts_at: Some(parts_at),
    }
}

/// The most asked for of any card.
fn asked_peak(run: &Run) -> u64 {
    CardPeaks::most(&run.recording.cards, |card| card.asked)
}

/// What in one run keeps its peak from being exact.
fn reasons(run: &Run) -> Vec<Reason> {
    let processes = &run.recording.processes;
    let sum = |of: fn(&Tally) -> u64| processes.iter().map(|p| of(&p.at_peak)).sum::<u64>();
    let most = |of: fn(&Tally) -> u64| processes.iter().map(|p| of(&p.at_peak)).max().unwrap_or(0);
    let all = |of: fn(&Process) -> &Vec<String>| {
        let mut names: Vec<String> = processes.iter().flat_map(|p| of(p).clone()).collect();
        names.sort();
        names.dedup();
        names
    };
    let lost = run.recording.lost_cards();
    let failed: u64 = processes.iter().map(|p| p.tally.failed_allocations).sum();
    let active = processes.iter().filter(|process| process.tally.requests > 0).count();
    let reasons = [
        (sum(|t| t.computed_bytes_read) > 0)
            .then(|| Reason::ComputedRead(sum(|t| t.computed_bytes_read))),
        (sum(|t| t.times_read) > 0).then(|| Reason::TimesRead(sum(|t| t.times_read))),
        (sum(|t| t.free_memory_read) > 0)
            .then(|| Reason::FreeMemoryRead(sum(|t| t.free_memory_read))),
        (sum(|t| t.unrecorded_attributes) > 0)
            .then(|| Reason::AttributesNotRecorded(all(|p| &p.attributes))),
        (sum(|t| t.unmodelled_calls) > 0).then(|| Reason::NotModelled(all(|p| &p.unmodelled))),
        (sum(|t| t.shared_allocations) > 0).then(|| Reason::SharedMemory(all(|p| &p.shared))),
        (failed > 0).then_some(Reason::AllocationFailed(failed)),
        (!lost.is_empty()).then_some(Reason::CardsLost(lost)),
        (most(|t| t.threads) > 1).then(|| Reason::Threads(most(|t| t.threads))),
        (most(|t| t.streams) > 1).then(|| Reason::Streams(most(|t| t.streams))),
        (active > 1).then_some(Reason::Processes(active)),
        (!run.ending.is_success()).then(|| Reason::Ended(run.ending.to_string())),
        processes.iter().any(|process| !process.ended).then_some(Reason::EndedAbruptly),
    ];
    reasons.into_iter().flatten().collect()
}

/// Whether `run` broke off on the way to the first run's peak, having done the same until then.
fn ends_before_the_peak(first: &Run, run: &Run) -> bool {
    if !first.ending.is_success() || run.ending.is_success() || asked_peak(run) >= asked_peak(first)
    {
        return false;
    }
    let mut all = marks_on_the_way(first);
    marks_on_the_way(run).all(|mark| all.next().is_some_and(|of_first| is_same(mark, of_first)))
}

/// Every mark but those at the ends of processes.
fn marks_on_the_way(run: &Run) -> impl Iterator<Item = &Mark> {
    let marks = run.recording.processes.iter().flat_map(|process| &process.marks);
    marks.filter(|mark| mark.kind != MarkKind::End)
}

/// Whether two runs had asked for the same and held the same at a mark. What the pool reserves is not
/// compared: it follows the order of requests.
fn is_same(a: &Mark, b: &Mark) -> bool {
    let levels = |mark: &Mark| -> Vec<[u64; 4]> {
        mark.cards.iter().map(|c| [c.used, c.used_peak, c.outside, c.outside_peak]).collect()
    };
    (a.kind, &a.name, a.requests, a.requested_bytes, a.requests_hash)
        == (b.kind, &b.name, b.requests, b.requested_bytes, b.requests_hash)
        && levels(a) == levels(b)
}

/// The first mark at which two runs part, in words.
fn parting(a: &Run, b: &Run) -> Option<String> {
    if a.recording.processes.len() != b.recording.processes.len() {
        return Some("the number of processes".to_owned());
    }
    let processes = a.recording.processes.iter().zip(&b.recording.processes);
    processes.into_iter().find_map(|(a, b)| {
        let differing = (0..a.marks.len().max(b.marks.len())).find(|&i| {
            match (a.marks.get(i), b.marks.get(i)) {
                (Some(a), Some(b)) => !is_same(a, b),
                _ => true,
            }
        })?;
        Some(describe(if differing < a.marks.len() { &a.marks } else { &b.marks }, differing))
    })
}

/// A mark in words: its name, or its number among the synchronisations since the last named one.
pub fn describe(marks: &[Mark], at: usize) -> String {
    let named = |mark: &&Mark| mark.kind == MarkKind::Mark;
    let after = marks[..at].iter().rev().find(named).map(|mark| mark.name.as_str());
    match marks.get(at) {
        Some(mark) if mark.kind == MarkKind::Mark => format!("`{}`", mark.name),
        Some(Mark { kind: MarkKind::End, .. }) => "the end".to_owned(),
        _ => {
            let since = marks[..at].iter().rev().take_while(|mark| !named(mark)).count() + 1;
            match after {
                Some(name) => format!("synchronisation {since} after `{name}`"),
                None => format!("synchronisation {since}"),
            }
        }
    }
}
