//! What predictions are taken from where nothing else is said.

/// The calibration that is used where none is named.
pub const DEFAULT_CALIBRATION: &str = "h200";

/// Why a plain step is predicted by a calibration that has it or by a dry run, and else by nothing.
pub const NO_LEDGER: &str = "the plain step has no ledger yet";
