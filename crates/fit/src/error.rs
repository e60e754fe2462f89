//! Why rows cannot be fitted or a calibration cannot be used.

use vram_source::fault::Faults;

/// Why rows cannot be fitted or a calibration cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The model has no terms.
    #[error("a model needs at least one term")]
    NoTerms,

    /// An observation has another number of terms than the model.
    #[error("observation {id} has {found} terms, the model has {expected}")]
    Terms {
        /// The observation.
        id: String,
        /// Its number of terms.
        found: usize,
        /// The model's.
        expected: usize,
    },

    /// An observation that no allocator can report.
    #[error("observation {id}: {reason}")]
    Impossible {
        /// The observation.
        id: String,
        /// What is impossible about it.
        reason: &'static str,
    },

    /// A calibration's text is not one.
    #[error("not a calibration: {0}")]
    Parse(#[from] Faults),

    /// A calibration cannot be written down.
    #[error("cannot write the calibration: {0}")]
    Write(String),

    /// A calibration of another format.
    #[error(
        "calibration format `{found}` is not `{expected}`: fit it again with this version, or use \
         the version that wrote it"
    )]
    Format {
        /// The format found.
        found: String,
        /// The format this version reads and writes.
        expected: &'static str,
    },

    /// A constant below zero: no step takes less than nothing, and no larger step takes less.
    #[error("calibration tier {tier}: {constant} is {value}, below zero")]
    Negative {
        /// The tier.
        tier: String,
        /// The constant.
        constant: String,
        /// Its value.
        value: f64,
    },

    /// A constant that is not a number, or the wrong number of constants.
    #[error("calibration tier {tier}: {reason}")]
    Constants {
        /// The tier.
        tier: String,
        /// What is wrong.
        reason: &'static str,
    },
}
