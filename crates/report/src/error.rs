//! Why runs cannot be studied, or a step cannot be predicted.

use vram_artifacts::error::ArtifactError;
use vram_fit::error::FitError;
use vram_presets::error::PresetError;
use vram_presets::step::{NoTape, StepKind};
use vram_workload::error::WorkloadError;

use crate::defaults::{DEFAULT_CALIBRATION, NO_LEDGER};

/// Why runs cannot be studied, or a step cannot be predicted.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum ReportError {
    /// A run's sizes cannot be terms.
    #[error("run {id}")]
    Sizes {
        /// The run.
        id: String,
        /// What is wrong with its sizes.
        source: Box<PresetError>,
    },

    /// The fit refused, or its constants cannot be written.
    #[error(transparent)]
    Fit(#[from] FitError),

    /// A preset, or a size that overflows.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Preset(#[from] PresetError),

    /// A step that cannot run.
    #[error(transparent)]
    Step(#[from] WorkloadError),

    /// A tape that is named for the plain step.
    #[error(transparent)]
    #[diagnostic(help("leave out --tape for the plain step"))]
    Tape(#[from] NoTape),

    /// Artifacts that cannot be read, or files that cannot be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] ArtifactError),

    /// A calibration that was fitted on other terms than are known.
    #[error("calibration {name} was fitted on terms that are unknown here: {}", terms.join(", "))]
    UnknownTerms {
        /// The calibration.
        name: String,
        /// Its terms.
        terms: Vec<String>,
    },

    /// Runs that one capacity model cannot be of.
    #[error("a capacity model is of one precision, step and card, and the runs are of {}", tracks.len())]
    #[diagnostic(help("name the directories of one: {}", tracks.join("; ")))]
    MixedTracks {
        /// What they are of.
        tracks: Vec<String>,
    },

    /// A capacity model of nothing.
    #[error("there is no capacity model: no run passed, alone and steady on its device")]
    #[diagnostic(help("`vram fit` without --format says of each run why it is left out"))]
    NoPassingRun,

    /// A calibration without the tier of a workload that no ledger answers for.
    #[error("{}calibration {name} has no tier for {wanted}", why(*step))]
    #[diagnostic(help("its tiers: {}; {}", tiers.join(", "), instead(*step)))]
    NoTier {
        /// The calibration.
        name: String,
        /// The tier that was looked for.
        wanted: String,
        /// The step that it is of.
        step: StepKind,
        /// The tiers that are there.
        tiers: Vec<String>,
    },
}

/// Why the step's ledger does not answer; nothing where it does, with a granule.
fn why(step: StepKind) -> String {
    match step {
        StepKind::Plain => format!("{NO_LEDGER}, and "),
        StepKind::Fused => String::new(),
    }
}

fn instead(step: StepKind) -> String {
    match step {
        StepKind::Plain => {
            "measure it with `vram probe --step plain`, let `vram fit --out FILE` fit the runs, and \
             name that --calibration FILE; or leave out --step for the fused step"
                .to_owned()
        }
        StepKind::Fused => format!(
            "a calibration with a granule, such as {DEFAULT_CALIBRATION}, answers for every size"
        ),
    }
}
