//! Why a constant or an error of a fit is not known.

use std::fmt;

/// Why a constant or an error of a fit is not known.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Missing {
    /// The rows do not determine it.
    Undetermined,
    /// There are no more rows than constants, so nothing is left to tell an error from.
    NoResidual,
    /// The tier has one point: its base is solved from it, and nothing checks it.
    OnePoint,
    /// The tier has one point, and no other tier has a slope to lend.
    NothingToBorrow,
    /// Without the row, the others do not determine a prediction of it.
    OthersUndetermined,
    /// The rows ask for a base below zero: no step takes less than nothing.
    NegativeBase {
        /// The base, in bytes.
        bytes: f64,
    },
    /// The rows ask for a slope below zero: no larger step takes less memory.
    NegativeSlope {
        /// The term whose coefficient it is.
        term: String,
        /// The coefficient.
        value: f64,
    },
}

impl Missing {
    /// Whether the rows contradict the model, rather than say too little.
    pub fn is_contradiction(&self) -> bool {
        matches!(self, Self::NegativeBase { .. } | Self::NegativeSlope { .. })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undetermined => f.write_str("the rows do not determine it"),
            Self::NoResidual => f.write_str("needs a row more than there are constants"),
            Self::OnePoint => f.write_str("the tier has one point: anchored, not validated"),
            Self::NothingToBorrow => {
                f.write_str("the tier has one point and no other tier has a slope to borrow")
            }
            Self::OthersUndetermined => f.write_str("the other rows do not determine a prediction"),
            Self::NegativeBase { bytes } => {
                write!(f, "the base would be {bytes:.0} bytes, below zero: the model does not hold")
            }
            Self::NegativeSlope { term, value } => {
                // A value that four decimals would show as zero is told by its size.
                let value = match value {
                    value if *value > -5e-5 => format!("{value:.1e}"),
                    value => format!("{value:.4}"),
                };
                write!(f, "k_{term} would be {value}, below zero: the model does not hold")
            }
        }
    }
}
