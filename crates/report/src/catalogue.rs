//! What is known of a run from elsewhere.

use std::collections::HashMap;

use vram_artifacts::calibration;
use vram_artifacts::run_record::RunRecord;
use vram_fit::calibration::{Calibration, TierConstants};
use vram_presets::kind::PresetKind;
use vram_presets::library::Library;
use vram_presets::sweep::{Published, SweepRow};
use vram_presets::tape::TapeKind;

use crate::memory_check::Context;
use crate::tier::TierKey;

/// The calibration that VRA-34 published.
pub const PUBLISHED: &str = "rtx4070tisuper_published";

/// What is known of a run from elsewhere: its note and figures in the sweeps, and the published
/// constants.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By probe, and by whether the tape is one of rows: what was published is of another.
    rows: HashMap<(String, bool), SweepRow>,
    published: Option<Calibration>,
    context: Option<Context>,
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
                let id = (spec.probe_id(row.out_dim, row.amp), is_of_rows(row.tape));
                // A row with published figures says the most about its workload.
                if row.published.is_some() || !rows.contains_key(&id) {
                    rows.insert(id, row);
                }
            }
        }
        Self {
            rows,
            published: calibration::load(library, PUBLISHED).ok().map(|preset| preset.spec),
            context: Some(Context::assumed(library)),
        }
    }

    fn row(&self, run: &RunRecord) -> Option<&SweepRow> {
        let m = &run.metrics;
        self.rows.get(&(m.probe_id.clone(), is_of_rows(m.tape())))
    }

    /// The note of the run's row; a published row's note is about the published run.
    pub fn note(&self, run: &RunRecord) -> Option<String> {
        let row = self.row(run)?;
        let note = row.note.as_deref().filter(|note| *note != "-")?;
        let about = if row.published.is_some() { "published: " } else { "" };
        Some(format!("{about}{note}"))
    }

    /// The published figures of the run's row.
    pub fn published(&self, run: &RunRecord) -> Option<Published> {
        self.row(run)?.published
    }

    /// The published constants of a tier, whatever the device.
    pub fn constants(&self, key: &TierKey) -> Option<&TierConstants> {
        let published = self.published.as_ref().filter(|_| !is_of_rows(key.tape));
        key.wanted().of(published?)
    }

    /// What a process holds beside its reserved memory on the card that a run was measured on, or on
    /// one of which nothing is known.
    pub(crate) fn context(&self, run: &RunRecord) -> Context {
        let known = run.metrics.context_bytes.map(Context::known);
        known.or(self.context).unwrap_or(Context::NONE)
    }
}

fn is_of_rows(tape: Option<TapeKind>) -> bool {
    tape == Some(TapeKind::Rows)
}
