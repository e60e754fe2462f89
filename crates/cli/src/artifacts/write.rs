use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ArtifactError, Env, Metrics, RunCmd, names};

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

/// A run's output directory. Every file in it is written whole or not at all.
#[derive(Debug)]
pub struct RunDir {
    dir: PathBuf,
}

impl RunDir {
    /// Claims `dir` for a new run.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Occupied`] where a run lies there already, [`ArtifactError::Write`] where
    /// the directory cannot be made.
    pub fn create(dir: &Path) -> Result<Self, ArtifactError> {
        for found in [names::ENV, names::METRICS, names::SUMMARY] {
            if dir.join(found).exists() {
                let dir = dir.to_owned();
                return Err(ArtifactError::Occupied { dir, found });
            }
        }
        fs::create_dir_all(dir)
            .map_err(|source| ArtifactError::Write { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Writes what is known before any compute: `run_cmd.txt` and `env.json`.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Write`].
    pub fn write_start(&self, run_cmd: &RunCmd, env: &Env) -> Result<(), ArtifactError> {
        self.write(names::RUN_CMD, &json(run_cmd))?;
        self.write(names::ENV, &json(env))
    }

    /// Writes the measurement: `metrics.json`, `metrics.csv` and `summary.md`.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Write`].
    pub fn write_results(&self, metrics: &Metrics) -> Result<(), ArtifactError> {
        self.write(names::METRICS_CSV, &scalars(metrics))?;
        self.write(names::SUMMARY, &summary(metrics))?;
        // Last: whoever finds it finds the run complete.
        self.write(names::METRICS, &json(metrics))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ArtifactError> {
        let path = self.dir.join(name);
        write_atomically(&path, text.as_bytes())
    }
}

/// Writes a file whole or not at all: a reader never finds half of it, even after a crash.
///
/// # Errors
///
/// [`ArtifactError::Write`].
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let attempt = || {
        let mut file = tempfile::Builder::new().prefix(".partial-").tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        #[cfg(unix)]
        {
            // Temporary files are private; artifacts are as readable as other files.
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    attempt().map_err(|source| ArtifactError::Write { path: path.to_owned(), source })
}

fn json(value: &impl Serialize) -> String {
    // Records have string keys and no fallible part.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text + "\n"
}

/// One header and one line; lists are JSON, what is null is empty.
fn scalars(metrics: &Metrics) -> String {
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
pub(crate) fn summary(metrics: &Metrics) -> String {
    let number = |value: Option<f64>| value.map_or("null".to_owned(), |v| v.to_string());
    let bytes = |value: Option<u64>| value.map_or("null".to_owned(), |v| v.to_string());
    let reasons = match metrics.fail_reasons.join(", ") {
        none if none.is_empty() => "(none)".to_owned(),
        reasons => reasons,
    };
    let mut lines = vec![
        "# GPU Capacity Probe Summary (VRA-32)".to_owned(),
        String::new(),
        format!("- status: {}", metrics.status()),
        format!("- probe_id: {}", metrics.probe_id),
        format!("- workload_id: {}", metrics.workload_id),
        format!("- device: {}", metrics.device),
        format!("- precision/amp: {} / {}", metrics.precision, metrics.amp),
        format!("- step: {}", metrics.step()),
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
    lines.extend(
        metrics.disturbance().map(|b| format!("- disturbed: others' memory moved by {b} bytes")),
    );
    lines.extend(metrics.runtime_exception_msg.iter().map(|m| format!("- runtime_exception: {m}")));
    lines.join("\n") + "\n"
}
