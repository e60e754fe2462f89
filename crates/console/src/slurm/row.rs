//! `--row-index N DIR`: one row of a plan.

use std::path::Path;

use miette::{IntoDiagnostic, WrapErr};
use vram_sweep::event::Event;
use vram_sweep::row_task;
use vram_sweep::runner::RowOutcome;

use crate::exit::Exit;
use crate::reply::Reply;
use crate::shown::Shown;

/// Measures a row in `dir`, shows how it goes, and ends as a sweep of this row would.
pub(crate) fn run(dir: &Path, index: u64) -> miette::Result<Reply> {
    let nowhere = || format!("no run directory {}", dir.display());
    let dir = dir.canonicalize().into_diagnostic().wrap_err_with(nowhere)?;
    // A probe finds presets from where it is started, and a plan's paths begin at its directory.
    std::env::set_current_dir(&dir).into_diagnostic().wrap_err_with(nowhere)?;
    let mut shown = Shown::default();
    let done = row_task::run(&dir, index, &mut |event: Event<'_>| shown.on(event))?;
    let passed = match &done.result.outcome {
        RowOutcome::Measured(record) => record.metrics.stability_pass,
        RowOutcome::DoesNotFit(_) => true,
        _ => false,
    };
    let exit = if passed { Exit::Done } else { Exit::Failed };
    // The table is made of all rows, when they are collected.
    Ok(Reply { text: String::new(), exit: done.signal.map_or(exit, Exit::from) })
}
