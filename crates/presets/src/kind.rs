//! What a preset can describe.

use strum::VariantArray;

/// What a preset describes; also the folder it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum PresetKind {
    /// The model's side of a workload.
    Ant,
    /// The data's side of a workload.
    Colony,
    /// A list of datapoints.
    Sweep,
    /// Fitted constants.
    Calibration,
}

impl PresetKind {
    /// Every kind, in the order in which lists show them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The folder under `presets/` that holds this kind.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Ant => "ants",
            Self::Colony => "colonies",
            Self::Sweep => "sweeps",
            Self::Calibration => "calibrations",
        }
    }

    /// The original harness writes specs as JSON, and nothing else.
    pub(crate) fn may_be_json(self) -> bool {
        matches!(self, Self::Ant | Self::Colony)
    }
}
