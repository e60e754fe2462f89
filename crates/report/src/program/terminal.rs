//! A report for a terminal.

use std::fmt::Write;

use super::blocks::{Block, Fact, Value};
use crate::table::Style;
use crate::units::{gib, grouped};

pub(super) fn text(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        match block {
            Block::Facts(facts) => facts.iter().for_each(|fact| line(&mut text, fact)),
            Block::Rows { notes, table, .. } => {
                notes.iter().for_each(|note| _ = writeln!(text, "{note}"));
                text.push_str(&table.draw(Style::Terminal));
            }
        }
    }
    text
}

fn line(text: &mut String, Fact { label, value }: &Fact) {
    let _ = match value {
        Value::Text(value) => writeln!(text, "{label:<16}{value}"),
        Value::Bytes(bytes, note) => {
            let (gib, bytes) = (gib(*bytes), grouped(*bytes));
            writeln!(text, "{label:<16}{gib:>9} GiB {bytes:>18} bytes{note}")
        }
    };
}
