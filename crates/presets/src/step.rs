//! Which step of the model is taken.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

/// Which of the two steps of the model is taken. It is no part of a workload's id.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum StepKind {
    /// Hand-written forward and backward: what VRA-34 budgets.
    #[default]
    Fused,
    /// candle's own operations and autograd: the reference, and what autograd costs.
    Plain,
}

impl StepKind {
    /// Every kind.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name in sweeps, in artifacts and on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl FromStr for StepKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(Self::ALL, text)
    }
}

/// The kind of this name, or the names that there are.
pub(crate) fn named<K: Copy + Into<&'static str>>(all: &[K], text: &str) -> Result<K, String> {
    let known = all.iter().copied().find(|kind| (*kind).into() == text);
    known.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|kind| (*kind).into()).collect();
        format!("expected {}, found `{text}`", names.join(" or "))
    })
}
