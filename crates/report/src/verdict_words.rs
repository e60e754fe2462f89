//! A verdict on a dry run, in words.

use vram_virtual_card::pool::PoolSettings;
use vram_virtual_card::verdict::{Reason, Refusal, Seen, Verdict};

use crate::units::{grouped, times};

pub(crate) fn label(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Exact => "exact".to_owned(),
        Verdict::SameUnderFills { fills } => same(*fills),
        Verdict::DependsOnValues(_) => "depends on values".to_owned(),
        Verdict::DiffersBetweenEqualRuns(_) => "differs between equal runs".to_owned(),
        Verdict::NotCompared => "of one run".to_owned(),
    }
}

pub(crate) fn explained(verdict: &Verdict) -> String {
    let range = |Seen { least, most, parts_at }: &Seen| {
        let parts = parts_at.as_deref().unwrap_or("the end");
        format!(
            "seen {} to {} bytes, no bound; runs part at {parts}",
            grouped(*least),
            grouped(*most)
        )
    };
    match verdict {
        Verdict::Exact => "exact: no value was read before the peak, all runs ask alike".to_owned(),
        Verdict::SameUnderFills { fills } => {
            format!("{}: not known to hold for every value", same(*fills))
        }
        Verdict::DependsOnValues(seen) => format!("depends on values: {}", range(seen)),
        Verdict::DiffersBetweenEqualRuns(seen) => {
            format!("differs between equal runs: {}", range(seen))
        }
        Verdict::NotCompared => "not compared: one run tells of no other".to_owned(),
    }
}

pub(crate) fn because(reason: &Reason) -> String {
    match reason {
        Reason::ComputedRead(bytes) => {
            let what = if *bytes == 1 { "byte" } else { "bytes" };
            format!("the host read {} computed {what} before the peak", grouped(*bytes))
        }
        Reason::TimesRead(times) => {
            format!("it read {} between events before the peak", several(*times, "time"))
        }
        Reason::FreeMemoryRead(asked) => {
            let asked = times(*asked);
            format!("it asked {asked} how much memory is free, and may size itself by that")
        }
        Reason::AttributesNotRecorded(ids) => {
            format!("it asked for attributes that are not recorded: {}", ids.join(", "))
        }
        Reason::NotModelled(names) => {
            format!("it called what is not modelled: {}", names.join(", "))
        }
        Reason::SharedMemory(kinds) => {
            format!("the host sees memory of the card without a call: {}", kinds.join(", "))
        }
        Reason::AllocationFailed(times) => format!("{} failed", several(*times, "allocation")),
        Reason::CardsLost(cards) => format!("{} fell off the bus", numbered(cards)),
        Reason::Threads(threads) => {
            format!("{threads} threads allocated, in an order that may vary")
        }
        Reason::Streams(streams) => format!("memory was allocated on {streams} streams"),
        Reason::Processes(processes) => format!("{processes} processes were on the card"),
        Reason::Ended(how) => format!("the program ended with {how}"),
        Reason::EndedAbruptly => "a process was killed, or left at once".to_owned(),
        Reason::EndedBeforeThePeak(runs) => {
            let counts = if *runs == 1 { "counts" } else { "count" };
            let runs = several(*runs as u64, "run");
            format!("{runs} with other values ended before the peak, and {counts} for none")
        }
    }
}

fn same(fills: usize) -> String {
    match fills {
        0 => "same in equal runs".to_owned(),
        fills => format!("same under {}", several(fills as u64, "fill")),
    }
}

/// `card 2`, `cards 1, 2`.
pub(crate) fn numbered(cards: &[usize]) -> String {
    let numbers: Vec<String> = cards.iter().map(usize::to_string).collect();
    format!("card{} {}", if cards.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

/// `1 run`, `2 runs`.
pub(crate) fn several(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

pub(crate) fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoCuda => {
            "the program did not call CUDA: it is not built for it, or chose the CPU".to_owned()
        }
        Refusal::NothingAllocated => "the program called CUDA and allocated nothing".to_owned(),
        Refusal::RealLibraries(paths) => format!(
            "NVIDIA's own libraries were loaded, and what they allocate is not seen: {}",
            paths.join(", ")
        ),
        Refusal::PrivateTables => {
            "the program reaches the driver by tables that no header names (a statically linked \
             cudart, PyTorch): nothing can stand in for them"
                .to_owned()
        }
        Refusal::UsedAfterFork => {
            "a process that had used CUDA was copied (fork), and the copy used it: the driver \
             refuses that"
                .to_owned()
        }
    }
}

pub(crate) fn settings(settings: &PoolSettings) -> String {
    let PoolSettings {
        release_threshold,
        reuse_follow_event_dependencies,
        reuse_allow_opportunistic,
        reuse_allow_internal_dependencies,
    } = settings;
    if *settings == PoolSettings::DEFAULT {
        return "as the driver makes it: gives idle memory back at a synchronisation".to_owned();
    }
    let threshold = match *release_threshold {
        u64::MAX => "keeps everything".to_owned(),
        bytes => format!("keeps up to {} bytes", grouped(bytes)),
    };
    let on = |set: &bool| if *set { "on" } else { "off" };
    format!(
        "{threshold}; reuse by events {}, opportunistic {}, by inserted waits {}",
        on(reuse_follow_event_dependencies),
        on(reuse_allow_opportunistic),
        on(reuse_allow_internal_dependencies)
    )
}
