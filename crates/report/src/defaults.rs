//! What predictions are taken from where nothing else is said.

/// The calibration that is used where none is named.
pub const DEFAULT_CALIBRATION: &str = "h200";

/// Why nothing is predicted of a plain step but by a calibration that has it.
pub const NO_LEDGER: &str = "the plain step has no ledger yet";
