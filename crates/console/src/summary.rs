//! What is left of a sweep when its rows are over: the table, the report, and how to go on.

use std::path::Path;

use vram_artifacts::error::with_causes;
use vram_artifacts::run_record::RunRecord;
use vram_presets::library::Library;
use vram_report::catalogue::Catalogue;
use vram_report::document::{self, Studies};
use vram_report::memory_check::Limit;
use vram_report::results::Line;
use vram_report::runs::Runs;
use vram_sweep::find_max::Searches;
use vram_sweep::plan::Row;
use vram_sweep::probe_process::Crash;
use vram_sweep::runner::{RowOutcome, RowResult};

use crate::exit::Exit;
use crate::list_format::ListFormat;
use crate::reply::Reply;
use crate::sweep_tables;
use crate::terminal;

/// The tables of measured rows, after the report is written and it is said how it went.
pub(crate) fn of_rows(
    program: &str,
    format: ListFormat,
    library: &Library,
    results: Vec<RowResult>,
    dir: &Path,
) -> Reply {
    let mut runs = Runs::default();
    let mut unmeasured = Vec::new();
    let mut failed = Vec::new();
    let mut not_started = Vec::new();
    let mut redo = Vec::new();
    for RowResult { row, outcome } in results {
        let line = |note: String| unmeasured_line(&row, note);
        match outcome {
            RowOutcome::Measured(record) => {
                if may_be_redone(&record) {
                    redo.push(row.id.clone());
                }
                if !record.metrics.stability_pass {
                    failed.push(format!("{}: {}", row.id, record.metrics.reasons()));
                }
                runs.records.push(*record);
                runs.counted.extend(row.counted.map(|counted| *counted));
            }
            RowOutcome::DoesNotFit(shortage) => {
                unmeasured.push(line(format!("predicted only: {shortage}")));
            }
            RowOutcome::Interrupted => {
                unmeasured.push(line("interrupted".to_owned()));
                failed.push(format!("{}: interrupted", row.id));
            }
            RowOutcome::NotStarted => {
                unmeasured.push(line("not started: the sweep was interrupted".to_owned()));
                not_started.push(row.id);
            }
            RowOutcome::Crashed(Crash { why, .. }) | RowOutcome::Lost(why) => {
                unmeasured.push(line(why.clone()));
                failed.push(format!("{}: {why}", row.id));
            }
        }
    }
    let (text, written) = tables(format, library, &runs, &unmeasured, dir).unwrap_or_else(|why| {
        failed.push(why);
        (String::new(), false)
    });
    let exit = conclude(program, &failed, &not_started, written, dir);
    if !redo.is_empty() {
        say_redo(&redo_command(program, std::env::args().skip(1), dir, &redo));
    }
    Reply { text, exit }
}

/// The table of largest batches, likewise.
pub(crate) fn of_searches(
    program: &str,
    format: ListFormat,
    library: &Library,
    mut searches: Searches,
    limit: &Limit,
    dir: &Path,
) -> Reply {
    let runs = Runs { records: std::mem::take(&mut searches.records), ..Runs::default() };
    let how = match runs.records.iter().any(|run| run.env.virtual_card) {
        true => "counted on a virtual card",
        false => "measured",
    };
    let failed = searches.failed.iter().map(|(row, why)| format!("{row}: {why}"));
    let mut failed: Vec<String> = failed.collect();
    let written = match Studies::new(&runs) {
        Ok(studies) => write_report(
            &runs,
            &studies,
            &Catalogue::new(library).with_sweeps_of(library, &runs),
            dir,
        ),
        Err(error) => {
            failed.push(format!("the fit: {}", with_causes(&error)));
            false
        }
    };
    let exit = conclude(program, &failed, &searches.not_started, written, dir);
    Reply { text: sweep_tables::of_searches(format, &searches, limit, how), exit }
}

/// The line of a row that has no measurement.
pub(crate) fn unmeasured_line(row: &Row, note: String) -> Line {
    let kind = (row.row.step, row.row.tape);
    Line::unmeasured(&row.id, &row.spec, kind, row.predicted(), note)
}

/// Whether a run is kept as it is, and whoever wants a better one has to ask for it.
pub(crate) fn may_be_redone(record: &RunRecord) -> bool {
    !record.metrics.stability_pass || record.metrics.disturbance().is_some()
}

/// Says how failed and disturbed rows are measured again.
pub(crate) fn say_redo(command: &str) {
    terminal::say(&format!(
        "failed or disturbed rows are kept as they are, and are measured again by: {command}"
    ));
}

/// The tables of rows, and whether their report is written; or why there is neither.
pub(crate) fn tables(
    format: ListFormat,
    library: &Library,
    runs: &Runs,
    unmeasured: &[Line],
    dir: &Path,
) -> Result<(String, bool), String> {
    let catalogue = Catalogue::new(library).with_sweeps_of(library, runs);
    let studies =
        Studies::new(runs).map_err(|error| format!("the fit: {}", with_causes(&error)))?;
    let text = sweep_tables::of_rows(format, &studies, &catalogue, unmeasured);
    Ok((text, write_report(runs, &studies, &catalogue, dir)))
}

/// Writes the report of what was measured. That it cannot be written keeps no table from being
/// printed.
fn write_report(runs: &Runs, studies: &Studies, catalogue: &Catalogue, dir: &Path) -> bool {
    if runs.records.is_empty() {
        return true;
    }
    match document::write(runs, studies, catalogue, dir) {
        Ok(_) => {
            let [text, page] =
                [document::names::REPORT, document::names::PAGE].map(|name| dir.join(name));
            terminal::say(&format!("\nreport: {}\n        {}", text.display(), page.display()));
            true
        }
        Err(error) => {
            terminal::complain(&error.into());
            false
        }
    }
}

/// Says what failed and how to go on.
fn conclude(
    program: &str,
    failed: &[String],
    not_started: &[String],
    written: bool,
    dir: &Path,
) -> Exit {
    if failed.is_empty() && not_started.is_empty() && written {
        return Exit::Done;
    }
    for row in failed {
        terminal::warn(&format!("failed {row}"));
    }
    if !not_started.is_empty() {
        terminal::warn(&format!("not started: {}", not_started.join(", ")));
    }
    terminal::warn(&format!(
        "the finished rows are kept: {}",
        resume_command(program, std::env::args().skip(1), dir)
    ));
    Exit::Failed
}

/// The command that continues what `program` began with `arguments` in `dir`.
fn resume_command(
    program: &str,
    arguments: impl IntoIterator<Item = String>,
    dir: &Path,
) -> String {
    let words = words_in(arguments, dir);
    let is_given = words.iter().any(|word| word == "--resume");
    let more = (!is_given).then(|| "--resume".to_owned());
    command(program, words.into_iter().chain(more))
}

/// The command that measures rows again of what `program` began with `arguments` in `dir`.
fn redo_command(
    program: &str,
    arguments: impl IntoIterator<Item = String>,
    dir: &Path,
    redo: &[String],
) -> String {
    let mut words = words_in(arguments, dir);
    words.retain(|word| word != "--resume" && !word.starts_with("--redo="));
    if let Some(at) = words.iter().position(|word| word == "--redo") {
        words.drain(at..(at + 2).min(words.len()));
    }
    command(program, words.into_iter().chain(["--redo".to_owned(), redo.join(",")]))
}

/// The arguments, with the directory where they do not name it.
fn words_in(arguments: impl IntoIterator<Item = String>, dir: &Path) -> Vec<String> {
    let mut words: Vec<String> = arguments.into_iter().collect();
    if !words.iter().any(|word| word == "--out" || word.starts_with("--out=")) {
        words.extend(["--out".to_owned(), dir.display().to_string()]);
    }
    words
}

pub(crate) fn command(program: &str, words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    let words = words.iter().map(String::as_str);
    // It fails only for a NUL, which no argument holds.
    format!("{program} {}", shlex::try_join(words).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_command_continues() {
        let resumed = |arguments: &[&str]| {
            let arguments = ["sweep"].iter().chain(arguments).map(|a| (*a).to_owned());
            let command = resume_command("cargo xtask", arguments, Path::new("runs/my run"));
            command.strip_prefix("cargo xtask sweep ").unwrap().to_owned()
        };
        assert_eq!(resumed(&["--sweep", "smoke"]), "--sweep smoke --out 'runs/my run' --resume");
        assert_eq!(resumed(&["--out=a", "--find-max"]), "'--out=a' --find-max --resume");
        assert_eq!(resumed(&["--resume", "--out", "a"]), "--resume --out a");
    }

    #[test]
    fn rows_are_measured_again_by_their_ids() {
        let redone = |arguments: &[&str]| {
            let arguments = arguments.iter().map(|a| (*a).to_owned());
            let redo = ["A".to_owned(), "C".to_owned()];
            redo_command("vram", arguments, Path::new("out"), &redo)
        };
        assert_eq!(redone(&["sweep", "--resume"]), "vram sweep --out out --redo 'A,C'");
        let again = redone(&["sweep", "--out", "a", "--redo", "A,B", "--quiet"]);
        assert_eq!(again, "vram sweep --out a --quiet --redo 'A,C'");
        assert_eq!(redone(&["sweep", "--redo=A", "--out=a"]), "vram sweep '--out=a' --redo 'A,C'");
    }
}
