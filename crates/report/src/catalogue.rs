//! What is known of a run from elsewhere.

use std::collections::HashMap;

use vram_artifacts::calibration;
use vram_artifacts::run_record::RunRecord;
use vram_fit::calibration::{Calibration, TierConstants};
use vram_presets::kind::PresetKind;
use vram_presets::library::Library;
use vram_presets::sweep::{Published, SweepRow};

use crate::tier::TierKey;

/// The calibration that VRA-34 published.
const PUBLISHED: &str = "rtx4070tisuper_published";

/// What is known of a run from elsewhere: its note and figures in the sweeps, and the published
/// constants.
#[derive(Debug, Default)]
pub struct Catalogue {
    rows: HashMap<String, SweepRow>,
    published: Option<Calibration>,
}

impl Catalogue {
    /// Everything that the library's sweeps and the published calibration say. What cannot be
    /// read there says nothing here: a table does not fail for want of a note.
    #[tracing::instrument(level = "trace", name = "read catalogue", skip_all)]
    pub fn new(library: &Library) -> Self {
        let sweeps = library.list().into_iter().filter(|e| e.kind == PresetKind::Sweep);
        let sweeps = sweeps.filter_map(|e| library.sweep(&e.name).ok());
        let mut rows = HashMap::new();
        for row in sweeps.flat_map(|s| s.spec.rows) {
            if let Ok(spec) = library.workload(&row) {
                let id = spec.probe_id(row.out_dim, row.amp);
                // A row with published figures says the most about its workload.
                if row.published.is_some() || !rows.contains_key(&id) {
                    rows.insert(id, row);
                }
            }
        }
        Self {
            rows,
            published: calibration::load(library, PUBLISHED).ok().map(|preset| preset.spec),
        }
    }

    /// The note of the run's row; a published row's note is about the published run.
    pub fn note(&self, run: &RunRecord) -> Option<String> {
        let row = self.rows.get(&run.metrics.probe_id)?;
        let note = row.note.as_deref().filter(|note| *note != "-")?;
        let about = if row.published.is_some() { "published: " } else { "" };
        Some(format!("{about}{note}"))
    }

    /// The published figures of the run's row.
    pub fn published(&self, run: &RunRecord) -> Option<Published> {
        self.rows.get(&run.metrics.probe_id)?.published
    }

    /// The published constants of a tier, whatever the device.
    pub fn constants(&self, key: &TierKey) -> Option<&TierConstants> {
        key.wanted().of(self.published.as_ref()?)
    }
}
