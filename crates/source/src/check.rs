//! Reads tables key by key, and notes every fault.

use std::cell::RefCell;
use std::ops::Range;

use crate::fault::{Fault, Faults};
use crate::nearest::nearest;
use crate::text::{Source, Syntax};
use crate::value::{KeyValue, Node, Value, clipped};
use crate::{json, toml_text};

/// The check of one text: it collects what is wrong.
#[derive(Debug)]
pub struct Check<'s> {
    source: &'s Source,
    faults: RefCell<Vec<Fault>>,
}

/// A table whose keys are not looked at yet.
#[derive(Debug)]
pub struct Table<'c> {
    check: &'c Check<'c>,
    path: String,
    span: Range<usize>,
    entries: Vec<KeyValue>,
}

/// A table whose keys are being read. What is asked for is known, and no other key is.
#[derive(Debug)]
pub struct Fields<'c> {
    table: Table<'c>,
    known: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl<'s> Check<'s> {
    /// The check of `source`.
    pub fn new(source: &'s Source) -> Self {
        Self { source, faults: RefCell::default() }
    }

    /// The text as a table.
    ///
    /// # Errors
    ///
    /// Faults of its syntax, behind which nothing can be read.
    pub fn document(&self) -> Result<Table<'_>, Faults> {
        let node = match self.source.syntax() {
            Syntax::Toml => toml_text::parse(self.source)?,
            Syntax::Json => json::parse(self.source)?,
        };
        match node.value {
            Value::Table(entries) => {
                Ok(Table { check: self, path: String::new(), span: node.span, entries })
            }
            _ => Err(Fault::new(self.source, node.span.clone(), node.expected("a table")).into()),
        }
    }

    /// Notes a fault.
    pub fn fault(&self, span: Range<usize>, message: String) {
        self.note(Fault::new(self.source, span, message));
    }

    fn note(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    /// What was read, if nothing was wrong.
    ///
    /// # Errors
    ///
    /// Everything that was.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Faults> {
        match (Faults::new(self.faults.into_inner()), read) {
            (Some(faults), _) => Err(faults),
            (None, Some(read)) => Ok(read),
            // What cannot be read has a fault; were one forgotten, this is it.
            (None, None) => {
                Err(Fault::new(self.source, 0..0, "it cannot be read".to_owned()).into())
            }
        }
    }
}

impl<'c> Table<'c> {
    /// Reads the table's keys. A key that nobody asks for is a fault.
    pub fn read<T>(self, read: impl FnOnce(&mut Fields<'c>) -> T) -> T {
        let mut fields = Fields { table: self, known: Vec::new(), missing: Vec::new() };
        let value = read(&mut fields);
        fields.end();
        value
    }

    /// Whether it has this key.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|e| e.key == key)
    }

    /// Where it begins.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value of a key, without a claim on it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|e| e.key == key).map(|e| &e.node)
    }
}

impl<'c> Fields<'c> {
    /// The value of a key that has to be there; none where it is not or is faulty, which is noted.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        if !self.table.has(key) {
            self.missing.push(key);
        }
        self.optional(key, read)
    }

    /// The value of a key that may be there; none where it is not or is faulty, which is noted.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let value = read(&node);
        value.map_err(|message| self.fault(key, node.span, &message)).ok()
    }

    /// The table under a key, which has to be there.
    pub fn required_table(&mut self, key: &'static str) -> Option<Table<'c>> {
        if !self.table.has(key) {
            self.missing.push(key);
        }
        self.optional_table(key)
    }

    /// The table under a key.
    pub fn optional_table(&mut self, key: &'static str) -> Option<Table<'c>> {
        let node = self.take(key)?;
        self.as_table(self.path(key), node)
    }

    /// The tables under a key, which has to be there.
    pub fn required_tables(&mut self, key: &'static str) -> Option<Vec<Option<Table<'c>>>> {
        if !self.table.has(key) {
            self.missing.push(key);
        }
        self.optional_tables(key)
    }

    /// The tables under a key.
    pub fn optional_tables(&mut self, key: &'static str) -> Option<Vec<Option<Table<'c>>>> {
        let node = self.take(key)?;
        let Value::List(nodes) = node.value else {
            self.fault(key, node.span.clone(), &node.expected("a list of tables"));
            return None;
        };
        let tables = nodes.into_iter().enumerate();
        Some(tables.map(|(i, n)| self.as_table(format!("{}[{i}]", self.path(key)), n)).collect())
    }

    /// Every key that was not asked for, with its value: a table whose keys are the user's.
    pub fn rest<T>(
        &mut self,
        read: impl Fn(&Node) -> Result<T, String>,
    ) -> Vec<(String, Option<T>)> {
        let known = &self.known;
        let (ours, theirs) = self
            .table
            .entries
            .drain(..)
            .partition(|e: &KeyValue| known.iter().any(|k| *k == e.key));
        self.table.entries = ours;
        let entries: Vec<KeyValue> = theirs;
        let read = |e: KeyValue| {
            let value = read(&e.node);
            let value = value.map_err(|m| self.fault(&e.key, e.node.span, &m)).ok();
            (e.key, value)
        };
        entries.into_iter().map(read).collect()
    }

    /// Notes a fault of a key's value.
    pub fn fault(&self, key: &str, span: Range<usize>, message: &str) {
        self.table.check.fault(span, format!("{}: {message}", self.path(key)));
    }

    /// Where the value of a key stands, or else the table.
    pub fn span(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or(self.table.span(), |node| node.span.clone())
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.table.get(key).cloned()
    }

    fn path(&self, key: &str) -> String {
        if self.table.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.table.path)
        }
    }

    fn as_table(&self, path: String, node: Node) -> Option<Table<'c>> {
        let check = self.table.check;
        match node.value {
            Value::Table(entries) => Some(Table { check, path, span: node.span, entries }),
            _ => {
                check.fault(node.span.clone(), format!("{path}: {}", node.expected("a table")));
                None
            }
        }
    }

    /// Notes keys that nobody asked for, and those that were asked for and are not there. One that
    /// is there under a misspelt name is one fault, not two.
    fn end(self) {
        let Self { table, known, mut missing } = self;
        let at = |message: &str| match table.path.as_str() {
            "" => message.to_owned(),
            path => format!("{path}: {message}"),
        };
        for entry in table.entries.iter().filter(|e| known.iter().all(|k| *k != e.key)) {
            let absent = known.iter().copied().filter(|k| !table.has(k));
            let near = match nearest(&entry.key, absent) {
                none if none.is_empty() => nearest(&entry.key, known.iter().copied()),
                near => near,
            };
            let name = clipped(&entry.key);
            let mut message = format!("unknown key `{name}`");
            if let Some(near) = near.first() {
                message += &format!(": did you mean `{near}`?");
                missing.retain(|key| key != near);
            }
            let fault = Fault::new(table.check.source, entry.key_span.clone(), at(&message));
            table.check.note(fault.with_help(format!("the keys here are {}", known.join(", "))));
        }
        for key in missing {
            table.check.fault(table.span.clone(), at(&format!("missing key `{key}`")));
        }
    }
}
