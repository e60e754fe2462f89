//! Which step of the model is taken.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::named::named;
use crate::tape::TapeKind;

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

    /// The tape of a step of this kind: as wanted, full where nothing is; the plain step has none.
    pub fn tape(self, wanted: Option<TapeKind>) -> Option<TapeKind> {
        match self {
            Self::Fused => Some(wanted.unwrap_or_default()),
            Self::Plain => None,
        }
    }

    /// Whether a step of this kind can be told its tape.
    ///
    /// # Errors
    ///
    /// A tape that is named for the plain step.
    pub fn check_tape(self, named: Option<TapeKind>) -> Result<(), NoTape> {
        match (self, named) {
            (Self::Plain, Some(named)) => Err(NoTape { named }),
            _ => Ok(()),
        }
    }
}

/// A tape that is named for the plain step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the plain step has no tape {named}: its tape is autograd's")]
pub struct NoTape {
    /// The tape.
    pub named: TapeKind,
}

impl FromStr for StepKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(Self::ALL, text)
    }
}
