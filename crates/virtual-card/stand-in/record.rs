//! What this process writes down: counters, and events as they happen.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::protocol::{
    COUNTERS, CardLevels, Counters, EVENTS, Request, TOTALS_FILE, Tally, Totals,
};

use super::levels::{Of, add_own, add_shared, change};
use super::mixed::mixed;
use super::request_log::RequestLog;
use super::{departed, shared_file};

/// Where a process writes down what it does.
pub struct Record {
    directory: PathBuf,
    counters: &'static Counters,
    totals: &'static Totals,
    events: File,
    log: Option<RequestLog>,
    steps: u64,
    once: HashSet<String>,
    threads: HashSet<u64>,
    /// Cards with the streams on which memory of them was asked for.
    streams: HashSet<(usize, u64)>,
    /// The thread, the card and the stream of the last request.
    last_from: Option<(u64, usize, u64)>,
    requested_bytes: u64,
    requests_hash: u64,
    last_mark: String,
}

impl Record {
    /// Begins the record of this process in `directory`.
    pub fn begin(directory: &Path) -> std::io::Result<Self> {
        let pid = std::process::id();
        // A process keeps its number when it becomes another program.
        let mut name = pid.to_string();
        for next in 1.. {
            let events = directory.join(format!("{name}.{EVENTS}"));
            match OpenOptions::new().append(true).create_new(true).open(events) {
                Ok(events) => {
                    let totals = shared_file::map(&directory.join(TOTALS_FILE))?;
                    departed::give_back(directory, pid, totals);
                    return Ok(Self {
                        counters: shared_file::map(&directory.join(format!("{name}.{COUNTERS}")))?,
                        totals,
                        directory: directory.to_owned(),
                        events,
                        log: RequestLog::begin(directory, &name),
                        steps: 0,
                        once: HashSet::new(),
                        threads: HashSet::new(),
                        streams: HashSet::new(),
                        last_from: None,
                        requested_bytes: 0,
                        requests_hash: 0,
                        last_mark: String::new(),
                    });
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    name = format!("{pid}-{next}");
                }
                Err(e) => return Err(e),
            }
        }
        Err(std::io::ErrorKind::AlreadyExists.into())
    }

    /// Writes a line of fields. What cannot be written is lost: a program must not fail of it.
    pub fn event(&mut self, fields: &[&dyn Display]) {
        let mut line = String::new();
        for (i, field) in fields.iter().enumerate() {
            if i > 0 {
                line.push('\t');
            }
            line.push_str(&field.to_string().replace(['\t', '\n'], " "));
        }
        line.push('\n');
        let _ = self.events.write_all(line.as_bytes());
    }

    /// Writes it if this has not been written before.
    pub fn event_once(&mut self, what: &str, detail: &str) {
        if self.once.insert(format!("{what}\t{detail}")) {
            self.event(&[&what, &detail]);
        }
    }

    /// Counts one more of what bears on the verdict.
    pub fn tally(&self, of: fn(&Tally) -> &AtomicU64, more: u64) {
        change(of(&self.counters.so_far), |so_far| so_far.wrapping_add(more));
    }

    /// Counts a request for memory of a card.
    pub fn request(&mut self, card: usize, bytes: u64, stream: u64) {
        self.tally(|t| &t.requests, 1);
        self.requested_bytes = self.requested_bytes.wrapping_add(bytes);
        // A sum knows no order: requests in another order are the same requests.
        self.requests_hash = self.requests_hash.wrapping_add(mixed(bytes));
        let from = (this_thread(), card, stream);
        if self.last_from.replace(from) == Some(from) {
            return;
        }
        self.threads.insert(from.0);
        self.counters.so_far.threads.store(self.threads.len() as u64, Relaxed);
        if self.streams.insert((card, stream)) {
            // Another card's pool has an order of its own.
            let of_card = self.streams.iter().filter(|(of, _)| *of == card).count() as u64;
            change(&self.counters.so_far.streams, |most| most.max(of_card));
        }
    }

    /// Takes a step of what bears on memory, and writes it down where steps are.
    pub fn step(&mut self, request: Request) {
        self.steps += 1;
        // What cannot be written is lost, and so is what follows it: a step is known by its number.
        if self.log.as_mut().is_some_and(|log| !log.step(request)) {
            self.log = None;
        }
    }

    /// Whether steps are written down.
    pub fn is_logged(&self) -> bool {
        self.log.is_some()
    }

    /// Steps that were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `bytes` more are held of a card.
    pub fn grow(&self, card: usize, of: Of, bytes: u64) {
        let (Some(mine), Some(all)) = (self.counters.cards.get(card), self.totals.cards.get(card))
        else {
            return;
        };
        add_shared(of(all), bytes);
        let asked = [&mine.used, &mine.outside, &mine.asked];
        if add_own(of(mine), bytes) && asked.iter().any(|level| std::ptr::eq(of(mine), *level)) {
            copy(&self.counters.so_far, &self.counters.at_peak);
        }
    }

    /// `bytes` less are held of a card.
    pub fn shrink(&self, card: usize, of: Of, bytes: u64) {
        if let (Some(mine), Some(all)) =
            (self.counters.cards.get(card), self.totals.cards.get(card))
        {
            change(&of(mine).now, |now| now.wrapping_sub(bytes));
            of(all).now.fetch_sub(bytes, Relaxed);
        }
    }

    /// What all processes hold of a card, together, in bytes.
    pub fn held(&self, card: usize) -> u64 {
        self.totals.cards.get(card).map_or(0, |all| all.held.now.load(Relaxed))
    }

    /// What this process holds of a card, in bytes.
    pub fn held_by_this_process(&self, card: usize) -> u64 {
        self.counters.cards.get(card).map_or(0, |mine| mine.held.now.load(Relaxed))
    }

    pub fn pin(&self, bytes: u64) {
        add_own(&self.counters.pinned, bytes);
    }

    pub fn unpin(&self, bytes: u64) {
        change(&self.counters.pinned.now, |now| now.wrapping_sub(bytes));
    }

    /// One more allocation is alive.
    pub fn born(&self, bytes: u64) {
        change(&self.counters.live, |live| live.wrapping_add(1));
        change(&self.counters.live_bytes, |live| live.wrapping_add(bytes));
    }

    /// One less.
    pub fn died(&self, bytes: u64) {
        change(&self.counters.live, |live| live.wrapping_sub(1));
        change(&self.counters.live_bytes, |live| live.wrapping_sub(bytes));
    }

    /// Writes down what is held, at a mark or a synchronisation (`kind`), of every card up to the last in
    /// use. A synchronisation before which nothing happened since the last mark is none.
    pub fn mark(&mut self, kind: &str, name: &str) {
        self.mark_beside(kind, name, "");
    }

    /// The same, with lines that belong to it.
    pub fn mark_beside(&mut self, kind: &str, name: &str, lines: &str) {
        let so_far = &self.counters.so_far;
        let mut held = format!(
            "{}\t{}\t{:x}\t{}",
            so_far.requests.load(Relaxed),
            self.requested_bytes,
            self.requests_hash,
            so_far.computed_bytes_read.load(Relaxed),
        );
        let cards = &self.counters.cards;
        let in_use = cards.iter().rposition(is_used).map_or(0, |last| last + 1);
        for card in &cards[..in_use] {
            for level in [&card.used, &card.reserved, &card.outside] {
                let (now, peak) = (level.now.load(Relaxed), level.peak.load(Relaxed));
                held.push_str(&format!("\t{now}\t{peak}"));
            }
        }
        if kind == "sync" && self.last_mark == held {
            return;
        }
        let name = name.replace(['\t', '\n'], " ");
        let line = format!("{kind}\t{name}\t{}\t{held}\n{lines}", self.steps());
        self.last_mark = held;
        self.tally(|t| &t.marks, 1);
        let _ = self.events.write_all(line.as_bytes());
    }

    /// Counts a request for memory of a card, by whichever process.
    pub fn count_request(&self, card: usize) {
        if let Some(requests) = self.totals.requests.get(card) {
            requests.fetch_add(1, Relaxed);
        }
    }

    /// Requests for memory of a card so far, as far as they are counted.
    pub fn requests_of(&self, card: usize) -> u64 {
        self.totals.requests.get(card).map_or(0, |requests| requests.load(Relaxed))
    }

    /// Whether a card was lost to any process.
    pub fn is_lost(&self, card: usize) -> bool {
        self.totals.lost.get(card).is_some_and(|lost| lost.load(Relaxed) > 0)
    }

    /// A card is lost, to all processes and for good.
    pub fn lose(&mut self, card: usize) {
        if let Some(lost) = self.totals.lost.get(card) {
            lost.store(1, Relaxed);
        }
        self.event_once("lost", &card.to_string());
    }

    /// An allocation did not fit.
    pub fn refused(&mut self, card: usize, bytes: u64) {
        self.tally(|t| &t.failed_allocations, 1);
        let held = self.held(card);
        self.event(&[&"failed", &"an allocation", &card, &bytes, &held]);
    }

    /// The process came to its end by itself.
    pub fn end(&mut self) {
        if let Some(log) = &mut self.log {
            log.look_for_modules();
        }
        self.counters.ended.store(1, Relaxed);
        departed::subtract(self.counters, self.totals);
    }

    /// Takes back what processes held that are no more.
    pub fn give_back_departed(&self) {
        departed::give_back(&self.directory, 0, self.totals);
    }
}

/// Whether anything was ever held of a card, or asked of it: a trace knows the second alone.
fn is_used(card: &CardLevels) -> bool {
    [&card.held, &card.asked].iter().any(|level| level.peak.load(Relaxed) > 0)
}

fn copy(from: &Tally, to: &Tally) {
    let fields: [fn(&Tally) -> &AtomicU64; 11] = [
        |t| &t.requests,
        |t| &t.marks,
        |t| &t.computed_bytes_read,
        |t| &t.times_read,
        |t| &t.free_memory_read,
        |t| &t.unrecorded_attributes,
        |t| &t.unmodelled_calls,
        |t| &t.shared_allocations,
        |t| &t.failed_allocations,
        |t| &t.threads,
        |t| &t.streams,
    ];
    for field in fields {
        field(to).store(field(from).load(Relaxed), Relaxed);
    }
}

/// A number for the calling thread.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Relaxed);
    }
    // Zero for a thread that is on its way out.
    NUMBER.try_with(|number| *number).unwrap_or(0)
}
