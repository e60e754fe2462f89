//! `--format` of what is printed as a table.

use clap::ValueEnum;

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
