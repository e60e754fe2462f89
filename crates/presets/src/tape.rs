//! What the fused step keeps of the ring for backward.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::named::named;

/// What the fused step keeps of the ring for backward. It is no part of a workload's id: every
/// result is equal to the bit with either. The plain step has neither, its tape is autograd's.
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
pub enum TapeKind {
    /// One whole ring state per token, `[T,B,R,D]`: what VRA-34 budgets.
    #[default]
    Full,
    /// The five rows that each token read, `[T,B,5,D]`: all that backward needs.
    Rows,
}

impl TapeKind {
    /// Every kind.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name in sweeps, in artifacts and on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl FromStr for TapeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(Self::ALL, text)
    }
}
