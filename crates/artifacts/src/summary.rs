//! `metrics.csv` and `summary.md`: the measurement for spreadsheets and for reading.

use vram_presets::tape::TapeKind;

use crate::metrics::Metrics;

/// Columns of `metrics.csv` that come first, as in the original harness; the rest follows by name.
const FIRST_COLUMNS: [&str; 16] = [
    "batch_size",
    "seq_len",
    "warmup_steps",
    "measure_steps",
    "measure_wall_time_s",
    "median_step_time_s",
    "p95_step_time_s",
    "throughput_samples_per_s",
    "throughput_tokens_per_s",
    "peak_vram_reserved_bytes",
    "peak_vram_allocated_bytes",
    "had_oom",
    "had_nan",
    "had_inf",
    "stability_pass",
    "fail_reasons",
];

/// One header and one line; lists are JSON, what is null is empty.
pub(crate) fn scalars(metrics: &Metrics) -> String {
    let value = serde_json::to_value(metrics).unwrap_or_default();
    let fields = value.as_object().cloned().unwrap_or_default();
    let first = FIRST_COLUMNS.iter().map(|name| (*name).to_owned());
    let rest = fields.keys().filter(|k| !FIRST_COLUMNS.contains(&k.as_str())).cloned();
    let columns: Vec<String> = first.chain(rest).collect();
    let cells = columns.iter().map(|name| match &fields[name] {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let mut csv = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = csv.write_record(&columns);
    let _ = csv.write_record(cells);
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// The essentials in words.
pub fn summary(metrics: &Metrics) -> String {
    let number = |value: Option<f64>| value.map_or("null".to_owned(), |v| v.to_string());
    let bytes = |value: Option<u64>| value.map_or("null".to_owned(), |v| v.to_string());
    let reasons = match metrics.reasons() {
        none if none.is_empty() => "(none)".to_owned(),
        reasons => reasons,
    };
    let tape = metrics.tape().map_or("autograd's", TapeKind::name);
    let mut lines = vec![
        "# GPU Capacity Probe Summary (VRA-32)".to_owned(),
        String::new(),
        format!("- status: {}", metrics.status()),
        format!("- probe_id: {}", metrics.probe_id),
        format!("- workload_id: {}", metrics.workload_id),
        format!("- device: {}", metrics.device),
        format!("- precision/amp: {} / {}", metrics.precision, metrics.amp),
        format!("- step: {}", metrics.step()),
        format!("- tape: {tape}"),
        format!("- out_dim: {}", metrics.out_dim),
        format!("- batch_size: {}", metrics.batch_size),
        format!("- seq_len (accounting): {}", metrics.seq_len),
        format!("- synth_len (generated): {}", metrics.synth_len),
        format!("- throughput_samples_per_s: {}", number(metrics.throughput_samples_per_s)),
        format!("- throughput_tokens_per_s: {}", number(metrics.throughput_tokens_per_s)),
        format!("- median_step_time_s: {}", number(metrics.median_step_time_s)),
        format!("- p95_step_time_s: {}", number(metrics.p95_step_time_s)),
        format!("- max_step_time_s: {}", number(metrics.max_step_time_s)),
        format!("- peak_vram_reserved_bytes: {}", bytes(metrics.peak_vram_reserved_bytes)),
        format!("- peak_vram_allocated_bytes: {}", bytes(metrics.peak_vram_allocated_bytes)),
        format!("- fail_reasons: {reasons}"),
    ];
    if metrics.untimed() {
        let what = "it counts memory and computes nothing: this is no measurement";
        lines.push(format!("- virtual card: {what}"));
    }
    lines.extend(
        metrics.disturbance().map(|b| format!("- disturbed: others' memory moved by {b} bytes")),
    );
    lines.extend(metrics.runtime_exception_msg.iter().map(|m| format!("- runtime_exception: {m}")));
    lines.join("\n") + "\n"
}
