//! A report as Markdown.

use std::fmt::Write;

use vram_source::escape;

use super::blocks::{Block, Fact, Value};
use crate::table::Style;
use crate::units::{gib, grouped};

pub(super) fn markdown(title: &str, blocks: &[Block]) -> String {
    let mut text = format!("# {}\n", escape::markdown(title));
    for block in blocks {
        text.push('\n');
        match block {
            Block::Facts(facts) => facts.iter().for_each(|fact| item(&mut text, fact)),
            Block::Rows { title, notes, table } => {
                let _ = write!(text, "## {title}\n\n");
                if !notes.is_empty() {
                    let _ = write!(text, "{}\n\n", escape::markdown(&notes.join(" ")));
                }
                text.push_str(&table.draw(Style::Markdown));
            }
        }
    }
    text
}

fn item(text: &mut String, Fact { label, value }: &Fact) {
    let indent = if label.starts_with(' ') { "  " } else { "" };
    let label = label.trim_start();
    let _ = match value {
        Value::Text(value) => writeln!(text, "{indent}- {label}: {}", escape::markdown(value)),
        Value::Bytes(bytes, note) => {
            let (gib, bytes) = (gib(*bytes), grouped(*bytes));
            writeln!(text, "{indent}- {label}: {gib} GiB ({bytes} bytes){}", escape::markdown(note))
        }
    };
}
