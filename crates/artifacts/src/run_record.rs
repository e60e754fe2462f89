//! A run read back from its artifacts.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use vram_presets::library::workload_from_text;
use vram_presets::spec::WorkloadSpec;
use vram_source::file::read_text;
use vram_source::text::Syntax;
use vram_source::value::clipped;

use crate::agreement::agree;
use crate::env::Env;
use crate::error::ArtifactError;
use crate::metrics::Metrics;
use crate::names;
use crate::run_cmd::RunCmd;
use crate::version::ARTIFACT_VERSION;

/// A complete run, read back.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Where it lies.
    pub dir: PathBuf,
    /// Hash of its artifacts: a copy has the same, a repeated measurement has other times in them.
    pub content: [u8; 32],
    /// The row's id in its sweep, or the folder's name.
    pub id: String,
    /// The ant's argument as it was given.
    pub ant: String,
    /// The colony's argument as it was given.
    pub colony: String,
    /// The workload after overrides.
    pub spec: WorkloadSpec,
    /// The machine.
    pub env: Env,
    /// The measurement.
    pub metrics: Metrics,
}

impl RunRecord {
    /// Name of the device that it was measured on.
    pub fn machine(&self) -> &str {
        let name = self.env.gpu_name.as_ref().or(self.env.cpu_name.as_ref());
        name.map_or("an unnamed device", String::as_str)
    }
}

/// Reads a run of this project or of the original harness.
///
/// # Errors
///
/// An artifact that is missing, broken, of another version, or at odds with the others.
pub fn read(dir: &Path) -> Result<RunRecord, ArtifactError> {
    let text = |name| fetch(dir, name);
    from_texts(dir, &text(names::METRICS)?, &text(names::RUN_CMD)?, &text(names::ENV)?)
}

/// The run that these texts of `metrics.json`, `run_cmd.txt` and `env.json` describe. `dir` is
/// where they are said to lie; nothing is read from there.
///
/// # Errors
///
/// As [`read`], for texts that are there.
pub fn from_texts(
    dir: &Path,
    metrics: &str,
    run_cmd: &str,
    env: &str,
) -> Result<RunRecord, ArtifactError> {
    let content = content(&[metrics, run_cmd, env]);
    let metrics = parse(dir, names::METRICS, metrics)?;
    let run_cmd = parse(dir, names::RUN_CMD, run_cmd)?;
    record(dir, content, metrics, run_cmd, parse(dir, names::ENV, env)?)
}

/// SHA-256 over the texts, each after its length.
fn content(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// The artifacts as one run, where they agree.
fn record(
    dir: &Path,
    content: [u8; 32],
    metrics: Metrics,
    run_cmd: RunCmd,
    env: Env,
) -> Result<RunRecord, ArtifactError> {
    let broken =
        |name: &str, message: String| ArtifactError::Parse { path: dir.join(name), message };
    let spec = workload_from_text(&run_cmd.resolved_spec.to_string(), Syntax::Json)
        .map_err(|e| broken(names::RUN_CMD, format!("resolved_spec: {e}")))?;
    agree(dir, &spec, &metrics, &run_cmd, &env)?;
    let given = |key: &Option<String>, flag: &str| {
        let value = key.as_deref().or_else(|| run_cmd.option(flag)).map(str::to_owned);
        value.ok_or_else(|| broken(names::RUN_CMD, format!("argv has no {flag}")))
    };
    let folder = || dir.file_name().map(|n| n.to_string_lossy().into_owned());
    Ok(RunRecord {
        dir: dir.to_owned(),
        content,
        ant: given(&run_cmd.ant, "--ant")?,
        colony: given(&run_cmd.colony, "--colony")?,
        id: run_cmd.row_id.or_else(folder).unwrap_or_default(),
        spec,
        env,
        metrics,
    })
}

fn fetch(dir: &Path, name: &str) -> Result<String, ArtifactError> {
    let path = dir.join(name);
    read_text(&path).map_err(|source| ArtifactError::Read { path, source })
}

fn parse<T: DeserializeOwned>(dir: &Path, name: &str, text: &str) -> Result<T, ArtifactError> {
    let path = dir.join(name);
    let fail =
        |e: serde_json::Error| ArtifactError::Parse { path: path.clone(), message: words(&e) };
    // The version first: a newer artifact may have keys that mean something else.
    let value: serde_json::Value = serde_json::from_str(text).map_err(fail)?;
    if let Some(found) = value.get("artifact_version").and_then(|v| v.as_str())
        && found != ARTIFACT_VERSION
    {
        let found = found.to_owned();
        return Err(ArtifactError::Version { path, found });
    }
    serde_json::from_value(value).map_err(fail)
}

/// What serde_json says, of a value that may be as long as the file no more than its beginning.
pub(crate) fn words(e: &serde_json::Error) -> String {
    let full = e.to_string();
    let what = full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what);
    let place = if e.line() > 0 { format!("line {}: ", e.line()) } else { String::new() };
    place + &clipped(&what.replace("EOF while parsing", "the text ends inside"))
}
