//! The report as Markdown.

use std::fmt::Write;

use vram_artifacts::run_record::RunRecord;
use vram_source::escape;

use super::bytes::{ceiling, claims, phases};
use super::names;
use super::{steps, tapes};
use crate::catalogue::Catalogue;
use crate::constants::constants_table;
use crate::results::results_table;
use crate::runs::Runs;
use crate::study::Study;
use crate::table::{Style, Table, or_dash};
use crate::units::gib;

/// The whole report.
pub(super) fn report(runs: &Runs, ring: &Study, pooled: &Study, catalogue: &Catalogue) -> String {
    let mut text = String::from("# Peak memory, predicted and measured\n\n");
    text += &facts(runs);
    text += "\nPeaks are the allocator's own counters over the measured steps: *allocated* is what \
             the program asked for, *reserved* what the allocator held. `error` is \
             (predicted - measured) / measured of reserved; `LOO` is the same for a fit without \
             that row. How to read the table: `docs/gpu/vram_breakdown_v1.md`.\n";
    let models = [
        ("The published model: a line per tier (`--terms ring`)", ring),
        ("Tape, whole states and activations over all tiers (`--terms ring,state,token`)", pooled),
    ];
    for (title, study) in models {
        let results = results_table(&study.lines(catalogue), Style::Markdown);
        let constants = constants_table(study, catalogue, Style::Markdown);
        let _ = write!(text, "\n## {title}\n\n{results}\n{constants}");
    }
    let _ = write!(text, "\n![Predicted lines, measured points, residuals]({})\n", names::PLOT);
    text += &exclusions(ring);
    text += &steps::both(runs, catalogue);
    text += &tapes::both(runs, catalogue);
    text += &claims(runs);
    text += &ceiling(runs);
    text += &phases(runs);
    text += &times(runs);
    text += &commands(runs);
    text
}

fn facts(runs: &Runs) -> String {
    let measured = runs.measured().next();
    let Some(run) = measured.or(runs.records.first()) else {
        return String::new();
    };
    let env = &run.env;
    let or_null = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let mut text = String::new();
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(text, "- {name}: {}", escape::markdown(&value));
    };
    fact("device", format!("{} ({})", run.machine(), run.metrics.device));
    if measured.is_none() {
        fact("virtual card", "it computes nothing: no row is a measurement".to_owned());
    }
    let total =
        env.total_vram_bytes.map_or("null".to_owned(), |b| format!("{} GiB ({b} bytes)", gib(b)));
    fact("total memory", total);
    if let Some(threads) = env.cpu_threads {
        fact("threads", threads.to_string());
    }
    if run.metrics.device != "cpu" {
        fact(
            "driver / CUDA",
            format!("{} / {}", or_null(&env.driver_version), or_null(&env.cuda_version)),
        );
        fact("compute capability", or_null(&env.compute_capability));
        fact("driver model", or_null(&env.driver_model));
        let granule = run.metrics.pool_granule_bytes;
        fact("pool's granule", granule.map_or("null".to_owned(), |b| format!("{b} bytes")));
    }
    fact("system", or_null(&env.os));
    fact("tool", or_null(&env.tool_version));
    fact("first run, UTC", or_null(&env.generated_utc));
    text
}

fn exclusions(study: &Study) -> String {
    let mut text = String::from("\n## Left out of the fit\n\n");
    if study.excluded.is_empty() {
        text += "Nothing.\n";
    }
    for (id, reason) in &study.excluded {
        let (id, reason) = (escape::markdown(id), escape::markdown(&reason.to_string()));
        let _ = writeln!(text, "- {id}: {reason}");
    }
    text
}

fn times(runs: &Runs) -> String {
    let seconds = |value: Option<f64>| or_dash(value, |s| format!("{s:.3}"));
    let rows = runs.measured().map(|run| {
        let m = &run.metrics;
        let status = match m.reasons() {
            none if none.is_empty() => m.status().to_string(),
            reasons => format!("{}: {reasons}", m.status()),
        };
        [
            run.id.clone(),
            format!("{} + {}", m.warmup_steps, m.measure_steps),
            seconds(m.median_step_time_s),
            seconds(m.max_step_time_s),
            seconds(m.throughput_tokens_per_s),
            status,
        ]
    });
    let header = [
        "case",
        "warm-up + measured steps",
        "median step s",
        "longest step s",
        "tokens/s",
        "verdict",
    ];
    format!("\n## Steps\n\n{}", Table::new(header).with_rows(rows).draw(Style::Compact))
}

fn commands(runs: &Runs) -> String {
    let lines: String =
        runs.records.iter().map(|run| escape::line(&command(run)).into_owned() + "\n").collect();
    format!("\n## The command behind each row\n\n```sh\n{lines}```\n")
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
