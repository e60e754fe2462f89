//! The largest number that fits a card, for reading and for programs.

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;
use vram_virtual_card::card::Card;
use vram_virtual_card::max_batch::{Bound, MaxBatch, Trial};

use crate::csv_text::csv_of;
use crate::units::{gib, grouped};

/// What was found, as it is printed.
#[derive(Debug, Serialize)]
pub struct MaxBatchReport<'a> {
    program: &'a [String],
    card: &'a str,
    memory_bytes: u64,
    guard: f64,
    #[serde(flatten)]
    found: &'a MaxBatch,
}

impl<'a> MaxBatchReport<'a> {
    /// Of a search with `program` on `card`.
    pub fn new(program: &'a [String], card: &'a Card, guard: f64, found: &'a MaxBatch) -> Self {
        let (name, memory_bytes) = (&card.model().name, card.memory_bytes());
        Self { program, card: name, memory_bytes, guard, found }
    }

    /// For reading.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = match &self.found.largest {
            Some(trial) => writeln!(text, "{} fits: {}", trial.number, held(trial)),
            None => writeln!(text, "not even 1 fits"),
        };
        let next = &self.found.next;
        let _ = writeln!(text, "{} does not: {}", next.number, bound(next));
        let memory = gib(self.memory_bytes);
        let _ = writeln!(text, "on {} with {memory} GiB, guard {}", self.card, self.guard);
        if self.found.reads_free_memory {
            text.push_str(
                "the program asks how much memory is free: it may size itself by the answer\n",
            );
        }
        text
    }

    /// For spreadsheets: the largest number that fits, where there is one, and the next, which does not.
    pub fn csv(&self) -> String {
        let record = |trial: &Trial| {
            json!({
                "number": trial.number,
                "fits": trial.bound.is_none(),
                "used_bytes": trial.peaks.used,
                "reserved_bytes": trial.peaks.reserved,
                "held_bytes": trial.peaks.held,
                "memory_bytes": self.memory_bytes,
                "guard": self.guard,
                "card": self.card,
            })
        };
        let trials = self.found.largest.iter().chain([&self.found.next]);
        let columns = [
            "number",
            "fits",
            "used_bytes",
            "reserved_bytes",
            "held_bytes",
            "memory_bytes",
            "guard",
            "card",
        ];
        csv_of(&columns, &trials.map(record).collect::<Vec<_>>())
    }
}

/// A trial as it happens.
pub fn trial_line(trial: &Trial) -> String {
    match &trial.bound {
        None => format!("{:>8}  fits: {}", trial.number, held(trial)),
        Some(_) => format!("{:>8}  does not fit: {}", trial.number, bound(trial)),
    }
}

fn held(trial: &Trial) -> String {
    format!(
        "{} GiB used, {} GiB reserved, {} GiB in all",
        gib(trial.peaks.used),
        gib(trial.peaks.reserved),
        gib(trial.peaks.held)
    )
}

fn bound(trial: &Trial) -> String {
    match &trial.bound {
        None => "it fits".to_owned(),
        Some(Bound::Guard(bytes)) => {
            format!(
                "{} GiB reserved, and the guard leaves {}",
                gib(trial.peaks.reserved),
                gib(*bytes)
            )
        }
        Some(Bound::Card(bytes)) => {
            format!("{} GiB in all, and the card has {}", gib(trial.peaks.held), gib(*bytes))
        }
        Some(Bound::Allocation(failed)) => format!(
            "{} of {} bytes had no room beside {} GiB",
            failed.what,
            grouped(failed.bytes),
            gib(failed.held)
        ),
    }
}
