//! TOML as values with places.

use toml::de::{DeTable, DeValue};

use crate::fault::{Fault, Faults};
use crate::text::Source;
use crate::value::{KeyValue, Node, Value};

/// The text as values, or what is wrong with its syntax: one fault per line, since what follows the
/// first is often its echo.
pub(crate) fn parse(source: &Source) -> Result<Node, Faults> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    let fault =
        |e: &toml::de::Error| Fault::new(source, e.span().unwrap_or(0..0), words(e.message()));
    let mut faults: Vec<Fault> = errors.iter().map(fault).collect();
    faults.dedup_by_key(|fault| fault.line());
    match Faults::new(faults) {
        Some(faults) => Err(faults),
        None => Ok(Node { span: 0..0, value: Value::Table(entries(table.get_ref())) }),
    }
}

/// What the parser says, without the grammar's names for things.
fn words(message: &str) -> String {
    if message.starts_with("cannot recurse further") {
        return "nested too deeply".to_owned();
    }
    message
        .replace("non-double-quote visible characters, `\\`", "characters, special ones escaped")
        .replace("non-single-quote visible characters", "characters without control characters")
        .replace("basic string", "text in quotes")
        .replace("literal string", "text in quotes")
}

fn entries(table: &DeTable<'_>) -> Vec<KeyValue> {
    table
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            node: Node { span: value.span(), value: of(value.get_ref()) },
        })
        .collect()
}

fn of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let value = i128::from_str_radix(number.as_str(), number.radix()).ok();
            Value::Integer(number.to_string(), value)
        }
        DeValue::Float(number) => {
            let text = number.as_str();
            let value = text
                .parse()
                .ok()
                .filter(|v: &f64| v.is_finite() || text.contains("inf") || text.contains("nan"));
            Value::Float(text.to_owned(), value)
        }
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(nodes) => Value::List(
            nodes.iter().map(|n| Node { span: n.span(), value: of(n.get_ref()) }).collect(),
        ),
        DeValue::Table(table) => Value::Table(entries(table)),
    }
}
