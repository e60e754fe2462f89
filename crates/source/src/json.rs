//! JSON as values with places.

use std::collections::HashSet;
use std::ops::Range;

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::fault::{Fault, Faults};
use crate::text::Source;
use crate::value::{KeyValue, Node, Value};

/// Levels of lists and tables that are followed, as many as serde_json follows.
const DEEPEST: usize = 128;

/// The text as values, or what is wrong with it.
pub(crate) fn parse(source: &Source) -> Result<Node, Faults> {
    // serde_json knows what JSON is, but not where a value stands. Behind this it is only followed.
    serde_json::from_str::<IgnoredAny>(source.text())
        .map_err(|e| Fault::new(source, place(source.text(), &e), words(&e)))?;
    Ok(Follower { source, at: 0 }.node(0)?)
}

/// The character that serde_json stopped at.
fn place(text: &str, e: &serde_json::Error) -> Range<usize> {
    let lines = text.split_inclusive('\n').take(e.line().saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    // It points behind the last character that it read.
    let end = (start + e.column()).min(text.len());
    end.saturating_sub(1)..end
}

/// What serde_json says, without the place, which the excerpt shows.
fn words(e: &serde_json::Error) -> String {
    let full = e.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full);
    message.replace("EOF while parsing", "the text ends inside")
}

/// A place in a text that is known to be JSON.
struct Follower<'s> {
    source: &'s Source,
    at: usize,
}

impl Follower<'_> {
    fn node(&mut self, depth: usize) -> Result<Node, Fault> {
        let first = self.peek();
        let start = self.at;
        if depth > DEEPEST {
            return Err(Fault::new(self.source, start..start + 1, "nested too deeply".to_owned()));
        }
        let value = match first {
            Some(b'{') => Value::Table(self.entries(depth)?),
            Some(b'[') => {
                let mut nodes = Vec::new();
                self.at += 1;
                while self.peek() != Some(b']') {
                    nodes.push(self.node(depth + 1)?);
                    self.pass(b',');
                }
                self.at += 1;
                Value::List(nodes)
            }
            Some(b'"') => Value::Text(self.scalar()?),
            _ => {
                self.scalar::<IgnoredAny>()?;
                match &self.source.text()[start..self.at] {
                    "true" => Value::Boolean(true),
                    "false" => Value::Boolean(false),
                    "null" => Value::Null,
                    number if number.contains(['.', 'e', 'E']) => {
                        let value = number.parse().ok().filter(|v: &f64| v.is_finite());
                        Value::Float(number.to_owned(), value)
                    }
                    number => Value::Integer(number.to_owned(), number.parse().ok()),
                }
            }
        };
        Ok(Node { value, span: start..self.at })
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<KeyValue>, Fault> {
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        self.at += 1;
        while self.peek() != Some(b'}') {
            let start = self.at;
            let key: String = self.scalar()?;
            let key_span = start..self.at;
            self.pass(b':');
            let node = self.node(depth + 1)?;
            self.pass(b',');
            if !keys.insert(key.clone()) {
                return Err(Fault::new(self.source, key_span, "duplicate key".to_owned()));
            }
            entries.push(KeyValue { key, key_span, node });
        }
        self.at += 1;
        Ok(entries)
    }

    /// The next value that has no values inside it.
    fn scalar<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let start = self.at;
        let mut values =
            serde_json::Deserializer::from_str(&self.source.text()[start..]).into_iter::<T>();
        let value = values.next();
        self.at = start + values.byte_offset();
        match value {
            Some(Ok(value)) => Ok(value),
            // Text that is JSON by its form alone: half of a surrogate pair, say.
            Some(Err(e)) => {
                Err(Fault::new(self.source, start..self.source.text().len(), words(&e)))
            }
            None => Err(Fault::new(self.source, start..start, "a value is missing".to_owned())),
        }
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.source.text()[self.at..];
        self.at += rest.len() - rest.trim_ascii_start().len();
        rest.trim_ascii_start().bytes().next()
    }

    fn pass(&mut self, separator: u8) {
        if self.peek() == Some(separator) {
            self.at += 1;
            self.peek();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::text::Syntax;

    fn parsed(text: &str) -> Result<Node, Faults> {
        parse(&Source::inline(text, Syntax::Json))
    }

    /// As serde_json would have it; every span is the text of its own value, and every key's of its
    /// key.
    fn agrees(text: &str, node: &Node) -> serde_json::Value {
        let here: serde_json::Value = serde_json::from_str(&text[node.span.clone()]).unwrap();
        let followed = match &node.value {
            Value::Integer(_, value) => json!(i64::try_from(value.unwrap()).unwrap()),
            Value::Float(_, value) => json!(value),
            Value::Text(value) => json!(value),
            Value::Boolean(value) => json!(value),
            Value::Null => json!(null),
            Value::List(nodes) => nodes.iter().map(|n| agrees(text, n)).collect(),
            Value::Table(entries) => {
                let pairs = entries.iter().map(|e| {
                    let key: String = serde_json::from_str(&text[e.key_span.clone()]).unwrap();
                    assert_eq!(key, e.key);
                    (key, agrees(text, &e.node))
                });
                pairs.collect()
            }
            Value::Date => panic!("JSON has no dates"),
        };
        assert_eq!(followed, here);
        here
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i64>().prop_map(|n| json!(n)),
            any::<f64>().prop_map(|x| json!(x)),
            any::<String>().prop_map(|s| json!(s)),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|v| json!(v)),
                prop::collection::hash_map(any::<String>(), inner, 0..6).prop_map(|m| json!(m)),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn values_are_serde_jsons_and_stand_where_they_say(value in value(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert_eq!(agrees(&text, &parsed(&text).unwrap()), value);
        }

        #[test]
        fn what_serde_json_refuses_is_refused(text in "[\\[\\]{}:,\" \n\\\\a0-9.e-]{0,40}") {
            let refused = serde_json::from_str::<IgnoredAny>(&text).is_err();
            prop_assert!(!refused || parsed(&text).is_err());
        }
    }

    #[test]
    fn a_key_that_is_there_twice_and_half_a_character_are_refused() {
        let said = |text| parsed(text).unwrap_err().to_string();
        assert_eq!(said("{\n\"a\": 1, \"a\": 2}"), "inline JSON:2: duplicate key");
        assert!(said(r#"{"a": "\ud800"}"#).contains("inline JSON:1: "));
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(said(&deep), "inline JSON:1: nested too deeply");
    }
}
