//! The sequence that is named, and where each of its calls stands.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use miette::{Report, miette};
use vram_replay::error::Refusal;
use vram_source::fault::Fault;
use vram_source::text::Source;
use vram_virtual_card::playback::PlayError;
use vram_virtual_card::sequence::{Line, numbered};

use crate::bounded;

/// The most that is read: some millions of calls.
const LIMIT_BYTES: u64 = 512 << 20;

/// A sequence as it was read.
pub(super) struct Input {
    label: String,
    text: String,
    /// The calls, with what stands behind them.
    pub(super) lines: Vec<Line>,
    /// The number of the line of each, from one.
    pub(super) numbers: Vec<usize>,
}

impl Input {
    /// Of a file or, for `-`, of standard input.
    pub(super) fn read(file: &Path) -> miette::Result<Self> {
        let (label, text) = match file.as_os_str() == "-" {
            true => ("standard input".to_owned(), bounded::text(io::stdin().lock(), LIMIT_BYTES)),
            false => (
                file.display().to_string(),
                File::open(file).and_then(|file| bounded::text(file, LIMIT_BYTES)),
            ),
        };
        let text = text.map_err(|error| miette!("cannot read {label}: {error}"))?;
        let calls = numbered(&text)
            .map_err(|error| fault(&label, &text, error.number, error.what.to_owned()))?;
        if calls.is_empty() {
            return Err(miette!(help = "`vram replay --help` shows each", "{label} has no calls"));
        }
        let (numbers, lines) = calls.into_iter().unzip();
        Ok(Self { label, text, lines, numbers })
    }

    /// Why a call could not be played, at its line.
    pub(super) fn fault(&self, index: usize, why: &Refusal) -> Report {
        fault(&self.label, &self.text, self.numbers[index], words(why))
    }
}

fn words(why: &Refusal) -> String {
    match why {
        Refusal::Wrong(PlayError::NoAllocation(id)) => {
            format!("there is no allocation {id} here: it was freed, or is made later")
        }
        why => why.to_string(),
    }
}

fn fault(label: &str, text: &str, number: usize, message: String) -> Report {
    let source = Source::labelled(label, text);
    Report::new(Fault::new(&source, span(text, number), message))
}

/// Where line `number` stands in `text`, counted from one.
fn span(text: &str, number: usize) -> Range<usize> {
    let lines = text.split_inclusive('\n');
    let start = lines.take(number.saturating_sub(1)).map(str::len).sum();
    let line = text[start..].lines().next().unwrap_or_default();
    start..start + line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_number() {
        let text = "one\n\r\nthree\r\nfour";
        for (number, line) in [(1, "one"), (2, ""), (3, "three"), (4, "four"), (5, "")] {
            assert_eq!(&text[span(text, number)], line);
        }
    }
}
