use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

use crate::Kind;

/// Why a preset, a spec or a sweep cannot be used.
///
/// Renders with its source excerpt through any `miette` report handler.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum PresetError {
    /// The text is not what the schema says.
    #[error("{label}:{line}: {message}")]
    Parse {
        /// The file, or where inline text came from.
        label: String,
        /// Line of the offence, counted from 1.
        line: usize,
        /// What is wrong, with the offending key.
        message: String,
        /// The whole text.
        #[source_code]
        source_code: Arc<NamedSource<String>>,
        /// The offending part of it.
        #[label("here")]
        span: SourceSpan,
    },

    /// No preset of this name.
    #[error("unknown {kind} `{name}`")]
    #[diagnostic(help("{}", suggestion(nearest, known)))]
    Unknown {
        /// What was looked for.
        kind: Kind,
        /// The name that was given.
        name: String,
        /// Known names like it, the nearest first.
        nearest: Vec<String>,
        /// Every known name.
        known: Vec<String>,
    },

    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(help("give a preset name, or the path of a readable .toml or .json file"))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A part of the spec is not in the file.
    #[error("{label} has no {part}")]
    #[diagnostic(help("the file holds the other half of a workload: give one that has both"))]
    Missing {
        /// The file, or where inline text came from.
        label: String,
        /// `ant_spec` or `colony_spec`.
        part: &'static str,
    },

    /// A value out of range.
    #[error("{key} {value}: expected {expected}")]
    Value {
        /// The offending key.
        key: &'static str,
        /// The offending value.
        value: String,
        /// What would do.
        expected: &'static str,
    },

    /// A product of sizes does not fit 64 bits.
    #[error("{what} = {} exceeds 64 bits", times(factors))]
    #[diagnostic(help("no machine has that much memory: check the sizes"))]
    Overflow {
        /// The product.
        what: &'static str,
        /// Its factors.
        factors: Vec<u64>,
    },
}

fn suggestion(nearest: &[String], known: &[String]) -> String {
    let known = known.join(", ");
    match nearest {
        [] => format!("known names: {known}"),
        near => format!("did you mean {}? known names: {known}", near.join(" or ")),
    }
}

fn times(factors: &[u64]) -> String {
    let factors: Vec<String> = factors.iter().map(u64::to_string).collect();
    factors.join(" * ")
}
