//! Strict parsing of TOML and of the original harness's JSON: no unknown key, no coercion, and
//! every error at its line.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use miette::NamedSource;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

use crate::spec::SCHEMA_VERSION;
use crate::{AntSpec, ColonySpec, Precision, PresetError, PtrDtype};

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// TOML, as presets are.
    Toml,
    /// JSON, as the original harness writes it.
    Json,
}

/// A text and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    label: String,
    text: String,
    syntax: Syntax,
}

impl Source {
    pub(crate) fn inline(text: &str, syntax: Syntax) -> Self {
        let label = match syntax {
            Syntax::Toml => "inline TOML",
            Syntax::Json => "inline JSON",
        };
        Self { label: label.to_owned(), text: text.to_owned(), syntax }
    }

    /// TOML, or JSON where the label ends so.
    pub(crate) fn file(label: &str, text: String) -> Self {
        let json = Path::new(label).extension().is_some_and(|e| e == "json");
        Self {
            label: label.to_owned(),
            text,
            syntax: if json { Syntax::Json } else { Syntax::Toml },
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, PresetError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PresetError::Read { path: path.to_owned(), source })?;
        Ok(Self::file(&path.display().to_string(), text))
    }

    pub(crate) fn syntax(&self) -> Syntax {
        self.syntax
    }

    pub(crate) fn text(self) -> String {
        self.text
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, PresetError> {
        match self.syntax {
            Syntax::Toml => self.parse_toml(),
            Syntax::Json => self.parse_json(),
        }
    }

    fn parse_toml<T: DeserializeOwned>(&self) -> Result<T, PresetError> {
        let fail = |key: &str, e: &toml::de::Error| {
            let span = e.span().unwrap_or(0..0);
            self.error(key, e.message(), span)
        };
        let document = toml::Deserializer::parse(&self.text).map_err(|e| fail("", &e))?;
        serde_path_to_error::deserialize(document)
            .map_err(|e| fail(&e.path().to_string(), e.inner()))
    }

    fn parse_json<T: DeserializeOwned>(&self) -> Result<T, PresetError> {
        let mut document = serde_json::Deserializer::from_str(&self.text);
        let value = serde_path_to_error::deserialize(&mut document)
            .map_err(|e| self.json_error(&e.path().to_string(), e.inner()))?;
        document.end().map_err(|e| self.json_error("", &e))?;
        Ok(value)
    }

    fn json_error(&self, key: &str, e: &serde_json::Error) -> PresetError {
        let start: usize =
            self.text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum();
        // serde_json points behind the last character it read.
        let end = (start + e.column()).min(self.text.len());
        let full = e.to_string();
        let message = full.split(" at line ").next().unwrap_or(&full);
        self.error(key, message, end.saturating_sub(1)..end)
    }

    /// An error at `span`, naming `key` where the message does not.
    pub(crate) fn error(
        &self,
        key: &str,
        message: &str,
        span: std::ops::Range<usize>,
    ) -> PresetError {
        // What `toml::Spanned` calls the value inside itself.
        let key = key.trim_end_matches(".$__serde_spanned_private_value");
        let named = key.is_empty() || key == "." || message.contains(&format!("`{key}`"));
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        PresetError::Parse {
            label: self.label.clone(),
            line: before.matches('\n').count() + 1,
            message: if named { message.to_owned() } else { format!("{key}: {message}") },
            source_code: Arc::new(NamedSource::new(&self.label, self.text.clone())),
            span: span.into(),
        }
    }

    /// Whether the top level holds specs rather than being one.
    fn is_wrapped(&self) -> Result<bool, PresetError> {
        let has = |key: &str| WRAPPER_KEYS.contains(&key);
        Ok(match self.syntax {
            Syntax::Toml => self.parse::<toml::Table>()?.keys().any(|k| has(k)),
            Syntax::Json => {
                let map: serde_json::Map<String, serde_json::Value> = self.parse()?;
                map.keys().any(|k| has(k))
            }
        })
    }

    /// An ant: alone, or as one half of a workload.
    pub(crate) fn ant(&self) -> Result<(Option<String>, AntSpec), PresetError> {
        let file = if self.is_wrapped()? {
            let whole: WorkloadFile = self.parse()?;
            whole.ant_spec.ok_or_else(|| self.missing("ant_spec"))?
        } else {
            self.parse::<AntFile>()?
        };
        Ok((file.notes.clone(), file.into()))
    }

    /// A colony: alone, or as one half of a workload.
    pub(crate) fn colony(&self) -> Result<(Option<String>, ColonySpec), PresetError> {
        let file = if self.is_wrapped()? {
            let whole: WorkloadFile = self.parse()?;
            whole.colony_spec.ok_or_else(|| self.missing("colony_spec"))?
        } else {
            self.parse::<ColonyFile>()?
        };
        Ok((file.notes.clone(), file.into()))
    }

    fn missing(&self, part: &'static str) -> PresetError {
        PresetError::Missing { label: self.label.clone(), part }
    }
}

const WRAPPER_KEYS: [&str; 3] = ["schema_version", "ant_spec", "colony_spec"];

/// An integer of at least 1; nothing else is taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// An integer of at least 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

/// `0` or `1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

struct Integer {
    least: u64,
    most: u64,
}

impl Visitor<'_> for Integer {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.most {
            u64::MAX => write!(f, "an integer of at least {}", self.least),
            most => write!(f, "an integer from {} to {most}", self.least),
        }
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<u64, E> {
        if (self.least..=self.most).contains(&v) {
            Ok(v)
        } else {
            Err(E::invalid_value(de::Unexpected::Unsigned(v), &self))
        }
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<u64, E> {
        match u64::try_from(v) {
            Ok(v) => self.visit_u64(v),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(v), &self)),
        }
    }
}

fn integer<'de, D: Deserializer<'de>>(d: D, least: u64, most: u64) -> Result<u64, D::Error> {
    d.deserialize_u64(Integer { least, most })
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        integer(d, 1, u64::MAX).map(Self)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        integer(d, 0, u64::MAX).map(Self)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        integer(d, 0, 1).map(|v| Self(v == 1))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AntFile {
    ring_len: Size,
    slot_dim: Size,
    ptr_dtype: PtrDtype,
    precision: Precision,
    #[serde(rename = "name")]
    _name: Option<String>,
    notes: Option<String>,
}

impl From<AntFile> for AntSpec {
    fn from(file: AntFile) -> Self {
        Self {
            precision: file.precision,
            ptr_dtype: file.ptr_dtype,
            ring_len: file.ring_len.0,
            slot_dim: file.slot_dim.0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColonyFile {
    seq_len: Size,
    synth_len: Size,
    batch_size: Size,
    ptr_update_every: Size,
    state_loop_samples: Count,
    #[serde(rename = "name")]
    _name: Option<String>,
    notes: Option<String>,
}

impl From<ColonyFile> for ColonySpec {
    fn from(file: ColonyFile) -> Self {
        Self {
            batch_size: file.batch_size.0,
            ptr_update_every: file.ptr_update_every.0,
            seq_len: file.seq_len.0,
            state_loop_samples: file.state_loop_samples.0,
            synth_len: file.synth_len.0,
        }
    }
}

/// The original harness's file: either half, or both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadFile {
    #[serde(rename = "schema_version")]
    _schema_version: Option<Version>,
    ant_spec: Option<AntFile>,
    colony_spec: Option<ColonyFile>,
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "notes")]
    _notes: Option<String>,
}

struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let found = String::deserialize(d)?;
        if found == SCHEMA_VERSION {
            return Ok(Self);
        }
        let expected = format!("`{SCHEMA_VERSION}`");
        Err(de::Error::invalid_value(de::Unexpected::Str(&found), &expected.as_str()))
    }
}
