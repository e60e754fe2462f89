//! What a report is made of, before it is shown in any medium.

use crate::table::Table;

/// A part of a report.
#[derive(Debug)]
pub(super) enum Block {
    /// Labels with what they say, a line each.
    Facts(Vec<Fact>),
    /// Rows under a heading, and what is to be known of them.
    Rows {
        /// The heading, of media that have them.
        title: &'static str,
        /// What is said before the rows, a line each.
        notes: Vec<String>,
        /// The rows.
        table: Table,
    },
}

/// A label and what it says. Labels that begin with two blanks belong to the one before.
#[derive(Debug)]
pub(super) struct Fact {
    pub label: &'static str,
    pub value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// Bytes, and what follows them.
    Bytes(u64, String),
}

impl Fact {
    pub fn text(label: &'static str, text: impl Into<String>) -> Self {
        Self { label, value: Value::Text(text.into()) }
    }

    pub fn bytes(label: &'static str, bytes: u64, note: impl Into<String>) -> Self {
        Self { label, value: Value::Bytes(bytes, note.into()) }
    }
}
