//! What a text says: values that know where they stand.

use std::fmt;
use std::ops::Range;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Bytes of the text that it is written in.
    pub span: Range<usize>,
}

/// What TOML and JSON can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number as it is written; none where even 128 bits do not hold it.
    Integer(String, Option<i128>),
    /// Any other number as it is written, not one where it is beyond every float.
    Float(String, Option<f64>),
    /// Text.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// Values in an order.
    List(Vec<Node>),
    /// Values by key.
    Table(Vec<KeyValue>),
    /// JSON's `null`.
    Null,
    /// TOML's date or time.
    Date,
}

/// A key of a table and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// Bytes of the text that the key is written in.
    pub key_span: Range<usize>,
    /// Its value.
    pub node: Node,
}

/// Characters of a value that a message repeats.
const REPEATED: usize = 60;

/// The beginning of a text, as much of it as a message repeats.
pub fn clipped(text: &str) -> String {
    match text.char_indices().nth(REPEATED) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(text, _) | Self::Float(text, _) => f.write_str(&clipped(text)),
            Self::Text(text) => write!(f, "the text \"{}\"", clipped(text)),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
            Self::Null => f.write_str("null"),
            Self::Date => f.write_str("a date or a time"),
        }
    }
}

impl Node {
    /// The message for a value that is not what was expected.
    pub fn expected(&self, what: &str) -> String {
        format!("expected {what}, found {}", self.value)
    }

    /// A whole number in a range; nothing else is taken for one.
    ///
    /// # Errors
    ///
    /// What was expected, and what is there.
    pub fn integer(&self, least: u64, most: u64) -> Result<u64, String> {
        let Value::Integer(_, value) = &self.value else {
            return Err(self.expected(&range(least, most)));
        };
        let value = value.and_then(|v| u64::try_from(v).ok());
        let within = value.filter(|v| (least..=most).contains(v));
        within.ok_or_else(|| match (&self.value, most) {
            (Value::Integer(text, _), u64::MAX) if value.is_none() && !text.starts_with('-') => {
                self.expected("an integer of at most 64 bits")
            }
            _ => self.expected(&range(least, most)),
        })
    }

    /// A whole number that may be negative.
    ///
    /// # Errors
    ///
    /// What was expected, and what is there.
    pub fn signed(&self) -> Result<i64, String> {
        match &self.value {
            Value::Integer(_, Some(value)) => i64::try_from(*value).ok(),
            _ => None,
        }
        .ok_or_else(|| self.expected("an integer of at most 64 bits"))
    }

    /// A number of any kind.
    ///
    /// # Errors
    ///
    /// What was expected, and what is there.
    pub fn number(&self) -> Result<f64, String> {
        match &self.value {
            Value::Integer(_, Some(value)) => Some(*value as f64),
            Value::Float(_, value) => *value,
            _ => None,
        }
        .ok_or_else(|| self.expected("a number"))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    ///
    /// What was expected, and what is there.
    pub fn boolean(&self) -> Result<bool, String> {
        match &self.value {
            Value::Boolean(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Text.
    ///
    /// # Errors
    ///
    /// What was expected, and what is there.
    pub fn text(&self) -> Result<String, String> {
        match &self.value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(self.expected("text in quotes")),
        }
    }

    /// A name that a list has.
    ///
    /// # Errors
    ///
    /// What was expected, and what is there.
    pub fn one_of<T: fmt::Display>(&self, known: impl IntoIterator<Item = T>) -> Result<T, String> {
        let mut names = Vec::new();
        for candidate in known {
            let name = candidate.to_string();
            match &self.value {
                Value::Text(text) if *text == name => return Ok(candidate),
                _ => names.push(name),
            }
        }
        let choice = if names.len() == 1 { "" } else { "one of " };
        Err(self.expected(&format!("{choice}{}", names.join(", "))))
    }

    /// Every value of a list.
    ///
    /// # Errors
    ///
    /// What was expected, and what is there.
    pub fn list<T>(&self, each: impl Fn(&Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        match &self.value {
            Value::List(nodes) => nodes.iter().map(each).collect(),
            _ => Err(self.expected("a list")),
        }
    }
}

fn range(least: u64, most: u64) -> String {
    match most {
        u64::MAX => format!("an integer of at least {least}"),
        most => format!("an integer from {least} to {most}"),
    }
}
