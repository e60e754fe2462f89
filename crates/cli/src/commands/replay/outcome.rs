//! What a replay came to: the sequence with its results, and how they compare.

use serde_json::{Value, json};
use vram_replay::compare::Comparison;
use vram_report::units::grouped;
use vram_virtual_card::sequence::{Line, Seen};

/// A sequence, and what was seen of it: less than all if a call was refused.
pub(super) struct Played<'a> {
    /// What it was played on.
    pub(super) place: String,
    pub(super) lines: &'a [Line],
    /// The number of the line of each in its file, from one.
    pub(super) numbers: &'a [usize],
    pub(super) seen: Vec<Seen>,
}

impl Played<'_> {
    fn with_results(&self) -> impl Iterator<Item = Line> + '_ {
        let of_each = self.lines.iter().zip(&self.seen);
        of_each.map(|(line, seen)| Line { call: line.call, seen: Some(*seen) })
    }

    /// A sequence that can be played again.
    pub(super) fn text(&self) -> String {
        self.with_results().map(|line| format!("{line}\n")).collect()
    }

    fn peak_reserved(&self) -> u64 {
        self.seen.iter().map(|seen| seen.reserved).max().unwrap_or(0)
    }
}

/// What the results are held against.
struct Held {
    /// Its name in JSON.
    key: &'static str,
    /// Whose answers these are, after "as".
    whose: &'static str,
    /// What each call came to there, where that is known.
    expected: Vec<Option<Seen>>,
    found: Comparison,
}

/// How the results compare.
pub(super) struct Outcome(Vec<Held>);

impl Outcome {
    /// Against the model, if what was played on is another, and against what the sequence has itself.
    pub(super) fn new(played: &Played<'_>, model: Option<&[Seen]>) -> Self {
        let of_model = model.map(|seen| seen.iter().copied().map(Some).collect());
        let written: Vec<_> = played.lines.iter().map(|line| line.seen).collect();
        let written = written.iter().any(Option::is_some).then_some(written);
        let against =
            [("model", "the model has them", of_model), ("file", "the file has them", written)];
        let held = against.into_iter().filter_map(|(key, whose, expected)| {
            let expected = expected?;
            let found = Comparison::new(&played.seen, &expected);
            Some(Held { key, whose, expected, found })
        });
        Self(held.collect())
    }

    /// Whether anything is not as it is elsewhere.
    pub(super) fn differs(&self) -> bool {
        self.0.iter().any(|held| held.found.first_difference.is_some())
    }

    /// For reading.
    pub(super) fn summary(&self, played: &Played<'_>) -> Vec<String> {
        let calls = grouped(played.seen.len() as u64);
        let peak = grouped(played.peak_reserved());
        let first = format!("{}: {calls} calls, peak reserved {peak} bytes", played.place);
        let others = self.0.iter().flat_map(|held| held.summary(played));
        std::iter::once(first).chain(others).collect()
    }

    /// For programs.
    pub(super) fn json(&self, played: &Played<'_>) -> Value {
        let calls = played.with_results().zip(played.numbers).map(|(line, number)| {
            let Some(Seen { offset, used, reserved }) = line.seen else { return Value::Null };
            json!({
                "line": number,
                "call": line.call.to_string(),
                "offset": offset,
                "used_bytes": used,
                "reserved_bytes": reserved,
            })
        });
        let mut json = json!({
            "played_on": played.place,
            "calls": calls.collect::<Vec<_>>(),
            "peak_reserved_bytes": played.peak_reserved(),
        });
        for held in &self.0 {
            json[format!("compared_with_{}", held.key)] = held.json(played);
        }
        json
    }
}

impl Held {
    fn summary(&self, played: &Played<'_>) -> impl Iterator<Item = String> {
        let Self { key, whose, found, .. } = self;
        let (addresses, reserved) = (found.addresses, found.reserved);
        let line = format!(
            "addresses {} of {} as {whose}; reserved {} of {} calls; \
             peak reserved {} bytes, {key} {}",
            grouped(addresses.equal),
            grouped(addresses.of),
            grouped(reserved.equal),
            grouped(reserved.of),
            grouped(found.peak_reserved),
            grouped(found.expected_peak_reserved),
        );
        std::iter::once(line)
            .chain(found.first_difference.map(|index| self.difference(played, index)))
    }

    fn difference(&self, played: &Played<'_>, index: usize) -> String {
        let call = played.lines[index].call;
        let here = Line { call, seen: Some(played.seen[index]) };
        // The same call once more would hide what differs.
        let there = Line { call, seen: self.expected[index] }.to_string();
        let there = there.strip_prefix(&call.to_string()).unwrap_or(&there).to_owned();
        let number = played.numbers[index];
        format!("first difference at line {number}: `{here}`, {} `{}`", self.key, there.trim())
    }

    fn json(&self, played: &Played<'_>) -> Value {
        let found = &self.found;
        json!({
            "addresses": { "equal": found.addresses.equal, "of": found.addresses.of },
            "reserved": { "equal": found.reserved.equal, "of": found.reserved.of },
            "peak_reserved_bytes": found.peak_reserved,
            "expected_peak_reserved_bytes": found.expected_peak_reserved,
            "first_difference_at_line": found.first_difference.map(|index| played.numbers[index]),
        })
    }
}
