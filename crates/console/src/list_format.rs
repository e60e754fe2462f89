//! `--format` of what is printed as a table.

use clap::ValueEnum;

/// What is named where a terminal has no room for all of a table that is printed so.
pub const FORMATS: &str = "--format json or csv";

/// How a list is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For reading.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For spreadsheets: a row of names, sizes in bytes without units.
    Csv,
}
