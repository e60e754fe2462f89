//! `--collect`: table and report of the rows that are there, and what is known of the others.

use std::collections::BTreeMap;
use std::path::Path;

use vram_artifacts::error::with_causes;
use vram_artifacts::slurm_jobs::SlurmJobs;
use vram_report::runs::Runs;
use vram_sweep::planned::{self, Planned};
use vram_sweep::signal::Signal;
use vram_sweep::slurm::collected::{Collected, Found, collect};
use vram_sweep::slurm::wait::{Waiting, wait};

use crate::exit::Exit;
use crate::list_format::ListFormat;
use crate::live::Live;
use crate::reply::Reply;
use crate::summary::{command, may_be_redone, say_redo, tables, unmeasured_line};
use crate::terminal;

/// Rows that a line names.
const NAMED: usize = 20;

/// Collects what is in `dir`, after its tasks if they are to be waited for.
pub(crate) fn run(
    program: &str,
    dir: &Path,
    waits: bool,
    format: ListFormat,
) -> miette::Result<Reply> {
    let mut planned = planned::open(dir)?;
    let signal = if waits { wait_for(&planned)? } else { None };
    if let Some(signal) = signal {
        terminal::warn(&format!(
            "not waited for any longer: the tasks go on. Collect with: {}",
            again(program, "--collect", dir, &[])
        ));
        return Ok(Reply { text: String::new(), exit: signal.into() });
    }
    let collected = collect(&mut planned)?;
    Ok(reply(program, format, planned, collected))
}

/// Waits until no task is pending or running.
fn wait_for(planned: &Planned) -> miette::Result<Option<Signal>> {
    let jobs = SlurmJobs::read(&planned.dir)?;
    let rows = planned.rows.len();
    let live = Live::new(Some(rows as u64), 1);
    let mut over = 0;
    let mut said = String::new();
    let signal = wait(&jobs, &planned.dir, &mut |waiting| match waiting {
        Waiting::Tasks(words) => {
            let active: usize = words.values().sum();
            let now = rows.saturating_sub(active) as u64;
            live.advance(now.saturating_sub(over));
            over = over.max(now);
            let words = words.iter().map(|(word, count)| format!("{count} {word}"));
            live.say(&words.collect::<Vec<_>>().join(", "));
        }
        // Once, however long it lasts.
        Waiting::NoAnswer(why) if *why != said => {
            said.clone_from(why);
            live.print(&format!("squeue does not answer, and is asked again: {why}"));
        }
        _ => {}
    })?;
    Ok(signal)
}

/// The tables, after the report is written and it is said what is missing.
fn reply(program: &str, format: ListFormat, planned: Planned, collected: Collected) -> Reply {
    let Planned { dir, rows, library, .. } = planned;
    let mut runs = Runs::default();
    let mut unmeasured = Vec::new();
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut redo = Vec::new();
    let (mut failed, mut idle) = (0, false);
    for (row, found) in rows.into_iter().zip(collected.found) {
        let note = match found {
            Found::Measured(record) => {
                failed += usize::from(!record.metrics.stability_pass);
                if may_be_redone(&record) {
                    redo.push(row.id);
                }
                runs.counted.extend(row.counted.map(|counted| *counted));
                runs.records.push(*record);
                continue;
            }
            Found::DoesNotFit(why) => format!("predicted only: {why}"),
            Found::Nothing(nothing) => {
                idle |= !nothing.is_active();
                missing.entry(nothing.word().to_owned()).or_default().push(row.id.clone());
                nothing.note()
            }
        };
        unmeasured.push(unmeasured_line(&row, note));
    }
    let (text, is_whole) =
        tables(format, &library, &runs, &unmeasured, &dir).unwrap_or_else(|why| {
            terminal::warn(&why);
            (String::new(), false)
        });
    if let Some(why) = collected.unasked {
        terminal::warn(&format!("what Slurm knows is not: {}", with_causes(&why)));
    }
    for (word, rows) in &missing {
        terminal::warn(&format!("{word}: {}", listed(rows)));
    }
    if idle {
        terminal::warn(&format!(
            "rows that neither wait nor run are submitted again by: {}",
            again(program, "--out", &dir, &["--submit", "slurm", "--resume"])
        ));
    }
    if !redo.is_empty() {
        let ids = redo.join(",");
        say_redo(&again(program, "--out", &dir, &["--submit", "slurm", "--redo", &ids]));
    }
    let passed = is_whole && missing.is_empty() && failed == 0;
    Reply { text, exit: if passed { Exit::Done } else { Exit::Failed } }
}

/// So many rows, and the first of their names.
fn listed(rows: &[String]) -> String {
    let named = rows.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match rows.len() {
        many if many > NAMED => format!("{many} rows: {named} and {} more", many - NAMED),
        1 => named,
        few => format!("{few} rows: {named}"),
    }
}

/// A command on a run directory.
fn again(program: &str, flag: &str, dir: &Path, more: &[&str]) -> String {
    let words = ["sweep".to_owned(), flag.to_owned(), dir.display().to_string()];
    command(program, words.into_iter().chain(more.iter().map(|word| (*word).to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_counted_and_some_named() {
        let rows = |count: usize| (0..count).map(|n| format!("R{n}")).collect::<Vec<_>>();
        assert_eq!(listed(&rows(1)), "R0");
        assert_eq!(listed(&rows(3)), "3 rows: R0, R1, R2");
        let many = listed(&rows(10_000));
        assert!(many.starts_with("10000 rows: R0, R1") && many.ends_with("R19 and 9980 more"));
    }
}
