use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::allocated;
use crate::{Fit, FitError, Prediction};

/// Format that this version reads and writes.
const FORMAT: &str = "vram_calibration_v1";

/// Fitted constants, ready to predict: a fit's result as a small TOML file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    #[serde(rename = "tier", default)]
    pub tiers: Vec<TierConstants>,
}

/// One tier's constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Attribute {
    /// A size or a flag.
    Integer(u64),
    /// A name.
    Text(String),
}

impl Calibration {
    /// The constants of `fit`, and the context that was held beside them. Tiers that the rows do not determine are left out. `describe` gives,
    /// for a tier's key, its name and what makes a run one of it.
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
        // The format first: a newer file may have keys that are unknown here.
        let table: toml::Table = toml::from_str(text).map_err(parse_error)?;
        if let Some(format) = table.get("format").and_then(|f| f.as_str())
            && format != FORMAT
        {
            return Err(FitError::Format { found: format.to_owned(), expected: FORMAT });
        }
        let calibration: Self = toml::from_str(text).map_err(parse_error)?;
        calibration.check()?;
        Ok(calibration)
    }

    /// What a reader could not tell from the text: constants that cannot predict.
    fn check(&self) -> Result<(), FitError> {
        if self.terms.is_empty() {
            return Err(FitError::NoTerms);
        }
        for (i, tier) in self.tiers.iter().enumerate() {
            let named = |name: &str| self.tiers.iter().position(|t| t.name == name);
            let lender_is_missing =
                tier.borrowed_from.as_deref().is_some_and(|n| named(n).is_none());
            let reason = match tier {
                t if t.coefficients.len() != self.terms.len() => "needs one coefficient per term",
                t if t.coefficients.iter().any(|c| !c.is_finite()) => {
                    "a coefficient is not a number"
                }
                t if t.granule_bytes == Some(0) => "its granule has no size",
                t if named(&t.name) != Some(i) => "is there twice",
                _ if lender_is_missing => "borrows from a tier that is not there",
                _ => {
                    tier.check_signs(&self.terms)?;
                    continue;
                }
            };
            return Err(FitError::Constants { tier: tier.name.clone(), reason });
        }
        Ok(())
    }

    /// Writes a calibration.
    ///
    /// # Errors
    ///
    /// [`FitError::Parse`] if it cannot be written as TOML (sizes beyond 63 bits).
    pub fn to_toml(&self) -> Result<String, FitError> {
        toml::to_string(self).map_err(|e| FitError::Parse(e.to_string()))
    }
}

impl TierConstants {
    /// No step takes less than nothing, and no larger one takes less.
    fn check_signs(&self, terms: &[String]) -> Result<(), FitError> {
        let coefficients = terms.iter().zip(&self.coefficients);
        let coefficients = coefficients.map(|(term, &k)| (format!("the coefficient of {term}"), k));
        let sizes = [("base_bytes", self.base_bytes), ("overhead_bytes", self.overhead_bytes)];
        let sizes = sizes.into_iter().map(|(name, bytes)| (name.to_owned(), bytes as f64));
        match coefficients.chain(sizes).find(|(_, value)| *value < 0.0) {
            Some((constant, value)) => {
                Err(FitError::Negative { tier: self.name.clone(), constant, value })
            }
            None => Ok(()),
        }
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

fn parse_error(e: toml::de::Error) -> FitError {
    FitError::Parse(e.to_string())
}
