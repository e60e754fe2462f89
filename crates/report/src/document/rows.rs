//! The report's sections on how each row ran.

use vram_artifacts::run_record::RunRecord;

use super::contents::{Part, Section};
use crate::runs::Runs;
use crate::table::{Column, Style, Table, or_dash};

/// How long each row's steps took, and what was said of it.
pub(super) fn times(runs: &Runs) -> Section {
    let seconds = |value: Option<f64>| or_dash(value, |s| format!("{s:.3}"));
    let columns = [
        Column::text("case", 0, |run: &&RunRecord| run.id.clone()),
        Column::number("warm-up + measured steps", 0, |run: &&RunRecord| {
            format!("{} + {}", run.metrics.warmup_steps, run.metrics.measure_steps)
        }),
        Column::number("median step s", 0, move |run: &&RunRecord| {
            seconds(run.metrics.median_step_time_s)
        }),
        Column::number("longest step s", 0, move |run: &&RunRecord| {
            seconds(run.metrics.max_step_time_s)
        }),
        Column::number("tokens/s", 0, move |run: &&RunRecord| {
            seconds(run.metrics.throughput_tokens_per_s)
        }),
        Column::text("verdict", 0, |run: &&RunRecord| verdict(run)),
    ];
    let measured: Vec<&RunRecord> = runs.measured().collect();
    let table = Table::of(&columns, &measured);
    Section { title: "Steps", parts: vec![Part::Table(table, Style::Compact)] }
}

fn verdict(run: &RunRecord) -> String {
    let m = &run.metrics;
    match m.reasons() {
        none if none.is_empty() => m.status().to_string(),
        reasons => format!("{}: {reasons}", m.status()),
    }
}

/// The command that measures each row again.
pub(super) fn commands(runs: &Runs) -> Section {
    let commands = runs.records.iter().map(command).collect();
    Section { title: "The command behind each row", parts: vec![Part::Commands(commands)] }
}

/// The probe that measures a run again.
fn command(run: &RunRecord) -> String {
    let m = &run.metrics;
    let mut words = vec!["vram".to_owned(), "probe".to_owned()];
    let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    option("ant", run.ant.clone());
    option("colony", run.colony.clone());
    option("batch", m.batch_size.to_string());
    option("out-dim", m.out_dim.to_string());
    option("precision", m.precision.clone());
    option("amp", m.amp.to_string());
    if let Some(step) = m.step {
        option("step", step.to_string());
    }
    if let Some(tape) = m.tape {
        option("tape", tape.to_string());
    }
    option("warmup-steps", m.warmup_steps.to_string());
    option("measure-steps", m.measure_steps.to_string());
    if let Some(seed) = m.seed {
        option("seed", seed.to_string());
    }
    option("device", m.device.clone());
    option("row-id", run.id.clone());
    option("output-dir", format!("runs/{}", run.id));
    // Only a NUL byte cannot be quoted, and no argument can hold one.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}
