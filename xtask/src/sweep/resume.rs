//! What may be continued: a directory in which this very sweep has begun.

use std::path::Path;

use miette::{bail, miette};
use vram_cli::artifacts::{self, RunRecord, names};
use vram_cli::study::workload;
use vram_presets::{Library, Sweep, SweepRow};

use super::find_max::probe_id;
use super::lock;
use super::plan::has_settings;

/// Refuses a directory that is not there, that no sweep has begun in, or that holds another sweep;
/// nothing in it is touched. An attempt that left no readable run says nothing against it.
pub fn refuse_another(
    library: &Library,
    sweep: &Sweep,
    find_max: bool,
    dir: &Path,
) -> miette::Result<()> {
    let help = "leave out --resume to begin it, or name the --out of its run; nothing was touched";
    let Ok(entries) = std::fs::read_dir(dir) else {
        bail!(
            help = help,
            "there is no run of {} to resume: no directory {}",
            sweep.name,
            dir.display()
        );
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let aside = |path: &Path| path.to_string_lossy().contains(names::ASIDE);
    let runs = paths.filter(|path| !aside(path)).filter_map(|path| artifacts::read(&path).ok());
    let (mut own, mut others) = (false, None);
    for run in runs {
        let batch = run.metrics.batch_size;
        let is_of = |row: &&SweepRow| match find_max {
            true => probe_id(row, batch) == run.id,
            false => row.id == run.id,
        };
        match sweep.rows.iter().find(is_of).cloned() {
            None => others = Some(run.id),
            Some(row) => {
                let batch = if find_max { batch } else { row.batch };
                refuse_other_settings(library, sweep, &SweepRow { batch, ..row }, &run)
                    .map_err(|why| miette!(help = help, "{why}"))?;
                own = true;
            }
        }
    }
    match others {
        _ if own => Ok(()),
        Some(id) => bail!(
            help = help,
            "{} holds another sweep than {}, with a row {id}",
            dir.display(),
            sweep.name
        ),
        None if dir.join(lock::NAME).exists() => Ok(()),
        None => bail!(help = help, "no sweep has begun in {}", dir.display()),
    }
}

/// A run with the id of one of this sweep's rows, and with other settings.
fn refuse_other_settings(
    library: &Library,
    sweep: &Sweep,
    row: &SweepRow,
    run: &RunRecord,
) -> miette::Result<()> {
    let m = &run.metrics;
    let ours = workload(library, row)?.probe_id(row.out_dim, row.amp);
    if has_settings(run, &ours, row) {
        return Ok(());
    }
    bail!(
        "{} is of another sweep than {}: it holds {} with {} + {} {} steps, and row {} is {ours} with \
         {} + {} {}",
        run.dir.display(),
        sweep.name,
        m.probe_id,
        m.warmup_steps,
        m.measure_steps,
        m.step(),
        row.id,
        row.warmup_steps,
        row.measure_steps,
        row.step
    )
}
