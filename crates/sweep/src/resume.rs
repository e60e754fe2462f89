//! What may be continued: a directory in which this very sweep has begun.

use std::path::Path;

use vram_artifacts::names;
use vram_artifacts::run_record::{RunRecord, read};
use vram_presets::library::Library;
use vram_presets::sweep::{Sweep, SweepRow};
use vram_presets::tape::TapeKind;

use crate::error::SweepError;
use crate::lock;
use crate::plan::{batch_id, has_settings};

/// Refuses a directory that is not there, that no sweep has begun in, or that holds another sweep;
/// nothing in it is touched. An attempt that left no readable run says nothing against it.
pub(crate) fn refuse_another(
    library: &Library,
    sweep: &Sweep,
    find_max: bool,
    dir: &Path,
) -> Result<(), SweepError> {
    let (name, dir_of) = (|| sweep.name.clone(), || dir.to_owned());
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Err(SweepError::NoDirectory { sweep: name(), dir: dir_of() });
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let aside = |path: &Path| path.to_string_lossy().contains(names::ASIDE);
    let runs = paths.filter(|path| !aside(path)).filter_map(|path| read(&path).ok());
    let (mut own, mut others) = (false, None);
    for run in runs {
        let batch = run.metrics.batch_size;
        let is_of = |row: &&SweepRow| match find_max {
            true => batch_id(row, batch) == run.id,
            false => row.id == run.id,
        };
        match sweep.rows.iter().find(is_of).cloned() {
            None => others = Some(run.id),
            Some(row) => {
                let batch = if find_max { batch } else { row.batch };
                refuse_other_settings(library, sweep, &SweepRow { batch, ..row }, &run)?;
                own = true;
            }
        }
    }
    match others {
        _ if own => Ok(()),
        Some(row) => Err(SweepError::OtherSweep { dir: dir_of(), sweep: name(), row }),
        None if dir.join(lock::NAME).exists() => Ok(()),
        None => Err(SweepError::NotBegun { dir: dir_of() }),
    }
}

/// A run with the id of one of this sweep's rows, and with other settings.
fn refuse_other_settings(
    library: &Library,
    sweep: &Sweep,
    row: &SweepRow,
    run: &RunRecord,
) -> Result<(), SweepError> {
    let m = &run.metrics;
    let spec = library.workload(row)?;
    let ours = spec.probe_id(row.out_dim, row.amp_of(&spec));
    if has_settings(run, &ours, row) {
        return Ok(());
    }
    let tape = |tape: Option<TapeKind>| match tape {
        Some(TapeKind::Rows) => " with a tape of rows",
        _ => "",
    };
    let of = |id: &str, warmup: u64, measured: u64| format!("{id} with {warmup} + {measured}");
    Err(SweepError::OtherSettings {
        dir: run.dir.clone(),
        sweep: sweep.name.clone(),
        row: row.id.clone(),
        held: format!(
            "{} {} steps{}",
            of(&m.probe_id, m.warmup_steps, m.measure_steps),
            m.step(),
            tape(m.tape())
        ),
        wanted: format!(
            "{} {}{}",
            of(&ours, row.warmup_steps, row.measure_steps),
            row.step,
            tape(row.tape)
        ),
    })
}
