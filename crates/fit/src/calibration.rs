//! Fitted constants as a file, and what they predict.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use vram_source::check::{Check, Fields, Table};
use vram_source::fault::{Fault, Faults};
use vram_source::text::{Source, Syntax};
use vram_source::value::{Node, Value};

use crate::error::FitError;
use crate::model::{Fit, Prediction, allocated};

/// Format that this version reads and writes.
const FORMAT: &str = "vram_calibration_v1";

/// Fitted constants, ready to predict: a fit's result as a small TOML file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    format: String,
    /// Where the constants come from.
    pub source: String,
    /// Names of the terms, in the order of each tier's coefficients.
    pub terms: Vec<String>,
    /// What a process held on the card beside what it reserved, in bytes: the most that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_bytes: Option<u64>,
    /// One entry per tier.
    #[serde(rename = "tier")]
    pub tiers: Vec<TierConstants>,
}

/// One tier's constants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TierConstants {
    /// The tier's name.
    pub name: String,
    /// Rows it was fitted on.
    pub points: u64,
    /// One coefficient per term.
    pub coefficients: Vec<f64>,
    /// Bytes that do not depend on the terms.
    pub base_bytes: i64,
    /// Reserved beyond allocated, or beyond its granules, in bytes.
    pub overhead_bytes: i64,
    /// What allocated is rounded up to before the overhead, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granule_bytes: Option<u64>,
    /// The tier whose coefficients a single point borrowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub borrowed_from: Option<String>,
    /// What makes a run one of this tier. The names are the caller's.
    pub attributes: BTreeMap<String, Attribute>,
}

/// A property that tells tiers apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Attribute {
    /// A size or a flag.
    Integer(u64),
    /// A name.
    Text(String),
}

impl Attribute {
    fn parse(value: &Node) -> Result<Self, String> {
        match &value.value {
            Value::Text(text) => Ok(Self::Text(text.clone())),
            Value::Integer(..) => value.integer(0, u64::MAX).map(Self::Integer),
            _ => Err(value.expected("a name or an integer of at least 0")),
        }
    }
}

impl Calibration {
    /// The constants of `fit`, and the context that was held beside them. Tiers that the rows do not
    /// determine are left out. `describe` gives, for a tier's key, its name and what makes a run one
    /// of it.
    pub fn new(
        source: &str,
        context_bytes: Option<u64>,
        fit: &Fit,
        describe: impl Fn(&str) -> (String, BTreeMap<String, Attribute>),
    ) -> Self {
        let tiers = fit.tiers.iter().filter_map(|t| {
            let (name, attributes) = describe(&t.tier);
            Some(TierConstants {
                name,
                points: t.points as u64,
                coefficients: t.coefficients.iter().map(|c| c.value).collect::<Option<_>>()?,
                // Whole bytes; the cast saturates.
                base_bytes: t.base.value?.round() as i64,
                overhead_bytes: t.overhead_bytes.round() as i64,
                granule_bytes: t.granule_bytes,
                borrowed_from: t.borrowed_from.as_deref().map(|key| describe(key).0),
                attributes,
            })
        });
        Self {
            format: FORMAT.to_owned(),
            source: source.to_owned(),
            terms: fit.model.terms.clone(),
            context_bytes,
            tiers: tiers.collect(),
        }
    }

    /// Reads a calibration.
    ///
    /// # Errors
    ///
    /// Text that is not one, another format, or constants that cannot predict.
    pub fn from_toml(text: &str) -> Result<Self, FitError> {
        let (calibration, _) = Self::parse(&Source::inline(text, Syntax::Toml))?;
        calibration.check()?;
        Ok(calibration)
    }

    /// As [`Calibration::from_toml`], with everything that is wrong, each fault at its place.
    ///
    /// # Errors
    ///
    /// The faults.
    pub fn read(source: &Source) -> Result<Self, Faults> {
        let (calibration, places) = match Self::parse(source) {
            Ok(parsed) => parsed,
            Err(FitError::Parse(faults)) => return Err(faults),
            Err(other) => {
                let check = Check::new(source);
                let format = check.document()?.get("format").map(|node| node.span.clone());
                return Err(Fault::new(source, format.unwrap_or(0..0), other.to_string()).into());
            }
        };
        if calibration.terms.is_empty() {
            return Err(Fault::new(source, 0..0, FitError::NoTerms.to_string()).into());
        }
        let faults = places.into_iter().enumerate().flat_map(|(i, place)| {
            let errors = calibration.faults(i);
            errors.map(move |error| Fault::new(source, place.clone(), error.to_string()))
        });
        Faults::new(faults.collect()).map_or(Ok(calibration), Err)
    }

    /// The text's constants, and where each tier stands.
    fn parse(source: &Source) -> Result<(Self, Vec<Range<usize>>), FitError> {
        if source.syntax() != Syntax::Toml {
            let fault = Fault::new(source, 0..0, "a calibration is written in TOML".to_owned());
            return Err(FitError::Parse(fault.into()));
        }
        let check = Check::new(source);
        let document = check.document()?;
        // The format first: a newer file may have keys that are unknown here.
        if let Some(Value::Text(found)) = document.get("format").map(|node| &node.value)
            && found != FORMAT
        {
            return Err(FitError::Format { found: found.clone(), expected: FORMAT });
        }
        let read = document.read(|fields| {
            let format = fields.required("format", Node::text);
            let from = fields.required("source", Node::text);
            let terms = fields.required("terms", |value| value.list(Node::text));
            let context_bytes = fields.optional("context_bytes", |v| v.integer(0, u64::MAX));
            let tables = fields.optional_tables("tier").unwrap_or_default();
            let places: Vec<Range<usize>> = tables.iter().flatten().map(Table::span).collect();
            let tiers: Vec<Option<TierConstants>> =
                tables.into_iter().map(|table| table?.read(TierConstants::parse)).collect();
            let calibration = Self {
                format: format?,
                source: from?,
                terms: terms?,
                context_bytes,
                tiers: tiers.into_iter().collect::<Option<_>>()?,
            };
            Some((calibration, places))
        });
        Ok(check.finish(read)?)
    }

    /// What a reader could not tell from the text: constants that cannot predict.
    fn check(&self) -> Result<(), FitError> {
        if self.terms.is_empty() {
            return Err(FitError::NoTerms);
        }
        (0..self.tiers.len()).flat_map(|i| self.faults(i)).next().map_or(Ok(()), Err)
    }

    /// Everything that keeps a tier from predicting.
    fn faults(&self, i: usize) -> impl Iterator<Item = FitError> {
        let tier = &self.tiers[i];
        let named = |name: &str| self.tiers.iter().position(|t| t.name == name);
        let lender_is_missing = tier.borrowed_from.as_deref().is_some_and(|n| named(n).is_none());
        let not_finite = tier.coefficients.iter().any(|c| !c.is_finite());
        let found = [
            (tier.coefficients.len() != self.terms.len(), "needs one coefficient per term"),
            (not_finite, "a coefficient is not a number"),
            (tier.granule_bytes == Some(0), "its granule has no size"),
            (named(&tier.name) != Some(i), "is there twice"),
            (lender_is_missing, "borrows from a tier that is not there"),
        ];
        let found = found.into_iter().filter(|(is_so, _)| *is_so);
        let found =
            found.map(|(_, reason)| FitError::Constants { tier: tier.name.clone(), reason });
        found.chain(tier.below_zero(&self.terms))
    }

    /// Writes a calibration.
    ///
    /// # Errors
    ///
    /// [`FitError::Write`] if it cannot be written as TOML (sizes beyond 63 bits).
    pub fn to_toml(&self) -> Result<String, FitError> {
        toml::to_string(self).map_err(|e| FitError::Write(e.to_string()))
    }
}

impl TierConstants {
    fn parse(fields: &mut Fields<'_>) -> Option<Self> {
        let bytes = |value: &Node| value.integer(0, u64::MAX);
        let name = fields.required("name", Node::text);
        let points = fields.required("points", |value| value.integer(1, u64::MAX));
        let coefficients = fields.required("coefficients", |value| value.list(Node::number));
        let base_bytes = fields.required("base_bytes", Node::signed);
        let overhead_bytes = fields.required("overhead_bytes", Node::signed);
        let granule_bytes = fields.optional("granule_bytes", bytes);
        let borrowed_from = fields.optional("borrowed_from", Node::text);
        let attributes = fields.required_table("attributes").and_then(|table| {
            let pairs = table.read(|fields| fields.rest(Attribute::parse));
            pairs.into_iter().map(|(key, value)| Some((key, value?))).collect()
        });
        Some(Self {
            name: name?,
            points: points?,
            coefficients: coefficients?,
            base_bytes: base_bytes?,
            overhead_bytes: overhead_bytes?,
            granule_bytes,
            borrowed_from,
            attributes: attributes?,
        })
    }

    /// No step takes less than nothing, and no larger one takes less.
    fn below_zero(&self, terms: &[String]) -> impl Iterator<Item = FitError> {
        let coefficients = terms.iter().zip(&self.coefficients);
        let coefficients = coefficients.map(|(term, &k)| (format!("the coefficient of {term}"), k));
        let sizes = [("base_bytes", self.base_bytes), ("overhead_bytes", self.overhead_bytes)];
        let sizes = sizes.into_iter().map(|(name, bytes)| (name.to_owned(), bytes as f64));
        let negative = coefficients.chain(sizes).filter(|(_, value)| *value < 0.0);
        negative.map(|(constant, value)| FitError::Negative {
            tier: self.name.clone(),
            constant,
            value,
        })
    }

    /// Peaks of a run of this tier with these terms, in bytes.
    ///
    /// # Errors
    ///
    /// [`FitError::Constants`] if the terms are not the calibration's, or if what comes out is no
    /// number of bytes.
    pub fn predict(&self, terms: &[u64]) -> Result<Prediction, FitError> {
        let fail = |reason| FitError::Constants { tier: self.name.clone(), reason };
        if terms.len() != self.coefficients.len() {
            return Err(fail("was fitted on other terms"));
        }
        let (base, overhead) = (self.base_bytes as f64, self.overhead_bytes as f64);
        allocated(&self.coefficients, base, terms)
            .and_then(|allocated| Prediction::new(allocated, overhead, self.granule_bytes))
            .ok_or_else(|| fail("predicts no number of bytes"))
    }
}
