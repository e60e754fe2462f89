use std::collections::HashMap;

use vram_fit::{Attribute, Calibration, TierConstants};
use vram_presets::{Library, Preset, PresetError, PresetKind, Published, SweepRow, WorkloadSpec};

use super::TierKey;
use crate::artifacts::RunRecord;

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
    pub fn new(library: &Library) -> Self {
        let sweeps = library.list().into_iter().filter(|e| e.kind == PresetKind::Sweep);
        let sweeps = sweeps.filter_map(|e| library.sweep(&e.name).ok());
        let mut rows = HashMap::new();
        for row in sweeps.flat_map(|s| s.spec.rows) {
            if let Ok(spec) = workload(library, &row) {
                let id = spec.probe_id(row.out_dim, row.amp);
                // A row with published figures says the most about its workload.
                if row.published.is_some() || !rows.contains_key(&id) {
                    rows.insert(id, row);
                }
            }
        }
        Self { rows, published: calibration(library, PUBLISHED).ok().map(|preset| preset.spec) }
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
        let is = |tier: &TierConstants, name: &str, value: Attribute| {
            tier.attributes.get(name) == Some(&value)
        };
        self.published.as_ref()?.tiers.iter().find(|t| {
            is(t, "ring_len", Attribute::Integer(key.ring_len))
                && is(t, "slot_dim", Attribute::Integer(key.slot_dim))
                && is(t, "precision", Attribute::Text(key.precision.clone()))
                && is(t, "amp", Attribute::Integer(u64::from(key.amp)))
        })
    }
}

/// The workload of a sweep's row, with its overrides.
///
/// # Errors
///
/// A preset that cannot be found or parsed.
pub fn workload(library: &Library, row: &SweepRow) -> Result<WorkloadSpec, PresetError> {
    let (ant, colony) = (library.ant(&row.ant)?.spec, library.colony(&row.colony)?.spec);
    let spec = WorkloadSpec::new(ant, colony).with_precision(row.precision);
    spec.with_batch(row.batch)
}

/// The calibration that `arg` names.
///
/// # Errors
///
/// One that cannot be found or read, or everything that is wrong with it.
pub fn calibration(library: &Library, arg: &str) -> Result<Preset<Calibration>, PresetError> {
    let Preset { label, origin, notes, spec } = library.calibration(arg)?;
    Ok(Preset { label, origin, notes, spec: Calibration::read(&spec)? })
}
