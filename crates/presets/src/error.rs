//! Why a preset, a spec or a sweep cannot be used.

use std::path::PathBuf;

use miette::Diagnostic;
use vram_source::fault::Faults;
use vram_source::file::ReadError;

use crate::kind::PresetKind;

/// Why a preset, a spec or a sweep cannot be used.
///
/// Renders with its source excerpt through any `miette` report handler.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum PresetError {
    /// The text is not what the schema says.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Parse(#[from] Faults),

    /// No preset of this name.
    #[error("unknown {kind} `{name}`")]
    #[diagnostic(help("{}", suggestion(nearest, known)))]
    Unknown {
        /// What was looked for.
        kind: PresetKind,
        /// The name that was given.
        name: String,
        /// Known names like it, the nearest first.
        nearest: Vec<String>,
        /// Every known name.
        known: Vec<String>,
    },

    /// Inline JSON in place of what only a file can be.
    #[error("a {kind} is a name or a file, not inline JSON")]
    #[diagnostic(help("inline JSON is an ant or a colony: write the {kind} into a TOML file"))]
    NotInline {
        /// What was asked for.
        kind: PresetKind,
    },

    /// A preset's file has a name that is none on every system.
    #[error("the preset's name `{name}` is not {expected}")]
    #[diagnostic(help("rename the file"))]
    Name {
        /// The name.
        name: String,
        /// What would do.
        expected: String,
    },

    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(help("give a preset name, or the path of a readable .toml or .json file"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReadError,
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
