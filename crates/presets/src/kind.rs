//! What a preset can describe.

use std::fmt;

/// What a preset describes; also the folder it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub const ALL: [Self; 4] = [Self::Ant, Self::Colony, Self::Sweep, Self::Calibration];

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

impl fmt::Display for PresetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ant => "ant",
            Self::Colony => "colony",
            Self::Sweep => "sweep",
            Self::Calibration => "calibration",
        })
    }
}
