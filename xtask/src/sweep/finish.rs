//! What is left of a sweep when its rows are over: the table, the report, and how to go on.

use std::path::Path;

use vram_cli::study::{Catalogue, Line, Runs, Study, Style, Terms, constants_table, results_table};
use vram_cli::{Exit, Reply, report, terminal};
use vram_presets::Library;

use super::child::Crash;
use super::plan::Row;
use super::rows::{Fate, in_one_line};

/// The table, after the report is written and it is said how it went.
pub fn finish(
    library: &Library,
    catalogue: &Catalogue,
    rows: &[Row],
    fates: Vec<Fate>,
    dir: &Path,
) -> Reply {
    let mut runs = Runs::default();
    let mut unmeasured = Vec::new();
    let mut failed = Vec::new();
    for (row, fate) in rows.iter().zip(fates) {
        let line = |note: String| {
            Line::unmeasured(&row.id, &row.spec, row.row.step, row.predicted(), note)
        };
        match fate {
            Fate::Measured(record) => {
                if !record.metrics.stability_pass {
                    failed.push(format!("{}: {}", row.id, record.metrics.fail_reasons.join(", ")));
                }
                runs.records.push(*record);
            }
            Fate::Predicted(shortage) => {
                unmeasured.push(line(format!("predicted only: {shortage}")))
            }
            Fate::NotRun => {
                unmeasured.push(line("not run: the sweep was interrupted".to_owned()));
                failed.push(format!("{}: interrupted", row.id));
            }
            Fate::Crashed(Crash { why, .. }) | Fate::Lost(why) => {
                unmeasured.push(line(why.clone()));
                failed.push(format!("{}: {why}", row.id));
            }
        }
    }
    let text = tables(&runs, catalogue, &unmeasured).unwrap_or_else(|error| {
        failed.push(format!("the fit: {}", in_one_line(&error)));
        String::new()
    });
    let written = write_report(&runs, library, dir);
    Reply { text, exit: conclude(&failed, written, dir) }
}

fn tables(runs: &Runs, catalogue: &Catalogue, unmeasured: &[Line]) -> miette::Result<String> {
    let mut text = String::new();
    for (terms, title) in [
        (Terms::Ring, "published model, a line per tier (--terms ring)"),
        (Terms::RingStateToken, "pooled over tiers (--terms ring,state,token)"),
    ] {
        let study = Study::new(runs, terms)?;
        let mut lines = study.lines(catalogue);
        if terms == Terms::Ring {
            lines.extend(unmeasured.iter().cloned());
        }
        text += &format!("\n{title}\n{}\n", results_table(&lines, Style::Terminal));
        text += &constants_table(&study, catalogue, Style::Terminal);
        if terms == Terms::Ring {
            for (id, reason) in &study.excluded {
                text += &format!("excluded {id}: {reason}\n");
            }
        }
    }
    Ok(text)
}

/// Writes the report of what was measured. That it cannot be written keeps no table from being
/// printed.
pub fn write_report(runs: &Runs, library: &Library, dir: &Path) -> bool {
    if runs.records.is_empty() {
        return true;
    }
    match report::write(runs, library, dir) {
        Ok(_) => {
            terminal::say(&format!("\nreport: {}", dir.join(report::names::REPORT).display()));
            true
        }
        Err(error) => {
            terminal::complain(&error);
            false
        }
    }
}

/// Says what failed and how to go on.
pub fn conclude(failed: &[String], written: bool, dir: &Path) -> Exit {
    if failed.is_empty() && written {
        return Exit::Done;
    }
    for row in failed {
        terminal::say(&format!("failed {row}"));
    }
    terminal::say(&format!(
        "the finished rows are kept: {}",
        resume_command(std::env::args(), dir)
    ));
    Exit::Failed
}

/// The command that continues what `arguments` began in `dir`.
fn resume_command(arguments: impl IntoIterator<Item = String>, dir: &Path) -> String {
    let mut arguments = arguments.into_iter();
    let own = arguments.next().unwrap_or_default();
    // cargo names itself to what it runs.
    let program = if std::env::var_os("CARGO").is_some() { "cargo xtask" } else { &own };
    let mut words: Vec<String> = arguments.collect();
    let is_given = |flag: &str, words: &[String]| {
        words.iter().any(|w| w == flag || w.starts_with(&format!("{flag}=")))
    };
    if !is_given("--out", &words) {
        words.extend(["--out".to_owned(), dir.display().to_string()]);
    }
    if !is_given("--resume", &words) {
        words.push("--resume".to_owned());
    }
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
            let arguments = ["xtask", "sweep"].iter().chain(arguments).map(|a| (*a).to_owned());
            let command = resume_command(arguments, Path::new("runs/my run"));
            command.split_once(" sweep ").unwrap().1.to_owned()
        };
        assert_eq!(resumed(&["--sweep", "smoke"]), "--sweep smoke --out 'runs/my run' --resume");
        assert_eq!(resumed(&["--out=a", "--find-max"]), "'--out=a' --find-max --resume");
        assert_eq!(resumed(&["--resume", "--out", "a"]), "--resume --out a");
    }
}
