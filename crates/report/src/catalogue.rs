//! What is known of a run from elsewhere.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use vram_artifacts::calibration;
use vram_artifacts::names;
use vram_artifacts::run_record::RunRecord;
use vram_fit::calibration::{Calibration, TierConstants};
use vram_presets::kind::PresetKind;
use vram_presets::library::Library;
use vram_presets::sweep::{Published, SweepRow};
use vram_presets::tape::TapeKind;

use crate::memory_check::Context;
use crate::runs::Runs;
use crate::tier::TierKey;

/// The calibration that VRA-34 published.
pub const PUBLISHED: &str = "rtx4070tisuper_published";

/// What is known of a run from elsewhere: its note and figures in the sweeps, and the published
/// constants.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By probe, and by whether the tape is one of rows: what was published is of another.
    rows: HashMap<(String, bool), SweepRow>,
    /// What a sweep says whose file lies beside its runs, before what is known by name.
    own: HashMap<(String, bool), SweepRow>,
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
        Self {
            rows: by_probe(library, sweeps.flat_map(|sweep| sweep.spec.rows)),
            own: HashMap::new(),
            published: calibration::load(library, PUBLISHED).ok().map(|preset| preset.spec),
            context: Some(Context::assumed(library)),
        }
    }

    /// The same with what the sweeps say of their rows that were given as files: each lies beside its
    /// runs.
    pub fn with_sweeps_of(mut self, library: &Library, runs: &Runs) -> Self {
        let dirs: BTreeSet<&Path> =
            runs.records.iter().filter_map(|run| run.dir.parent()).collect();
        let files =
            dirs.into_iter().map(|dir| dir.join(names::SWEEP)).filter(|file| file.is_file());
        let sweeps = files.filter_map(|file| library.sweep(&file.display().to_string()).ok());
        self.own = by_probe(library, sweeps.flat_map(|sweep| sweep.spec.rows));
        self
    }

    /// The rows that are known of a run, its own sweep's first.
    fn rows(&self, run: &RunRecord) -> impl Iterator<Item = &SweepRow> {
        let m = &run.metrics;
        let key = (m.probe_id.clone(), is_of_rows(m.tape()));
        [self.own.get(&key), self.rows.get(&key)].into_iter().flatten()
    }

    /// The note of the run's row; a published row's note is about the published run.
    pub fn note(&self, run: &RunRecord) -> Option<String> {
        self.rows(run).find_map(|row| {
            let note = row.note.as_deref().filter(|note| *note != "-")?;
            let about = if row.published.is_some() { "published: " } else { "" };
            Some(format!("{about}{note}"))
        })
    }

    /// The published figures of the run's row.
    pub fn published(&self, run: &RunRecord) -> Option<Published> {
        self.rows(run).find_map(|row| row.published)
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

/// What rows say, by their probes; a row with published figures says the most about its workload.
fn by_probe(
    library: &Library,
    rows: impl Iterator<Item = SweepRow>,
) -> HashMap<(String, bool), SweepRow> {
    let mut known = HashMap::new();
    for row in rows {
        if let Ok(spec) = library.workload(&row) {
            let id = (spec.probe_id(row.out_dim, row.amp_of(&spec)), is_of_rows(row.tape));
            if row.published.is_some() || !known.contains_key(&id) {
                known.insert(id, row);
            }
        }
    }
    known
}

fn is_of_rows(tape: Option<TapeKind>) -> bool {
    tape == Some(TapeKind::Rows)
}
