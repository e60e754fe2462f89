//! Which step of the model is taken.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which of the two steps of the model is taken. It is no part of a workload's id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// Hand-written forward and backward: what VRA-34 budgets.
    #[default]
    Fused,
    /// candle's own operations and autograd: the reference, and what autograd costs.
    Plain,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Fused, Self::Plain];

    /// Its name in sweeps, in artifacts and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Plain => "plain",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for StepKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(" or ");
            format!("expected {names}, found `{text}`")
        })
    }
}
