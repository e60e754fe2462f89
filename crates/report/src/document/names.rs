//! Names of a report's files.

/// The report.
pub const REPORT: &str = "report.md";
/// The same for a browser, as one file.
pub const PAGE: &str = "report.html";
/// The table's numbers.
pub const TABLE: &str = "table.csv";
/// The published model's constants.
pub const CALIBRATION: &str = "calibration.toml";
/// Predicted and published lines, measured points and residuals.
pub const PLOT: &str = "peaks.svg";
