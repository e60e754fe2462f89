//! `run_cmd.txt`: what was asked for.

use serde::{Deserialize, Serialize};

/// `run_cmd.txt`: what was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunCmd {
    /// See [`ARTIFACT_VERSION`](crate::version::ARTIFACT_VERSION).
    pub artifact_version: Option<String>,
    /// The probe's arguments, its own name first.
    pub argv: Vec<String>,
    /// The ant as it was given: a preset's name, a file or inline JSON. Absent in artifacts from
    /// before it was a key, and in the original harness's: there it is what `argv` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ant: Option<String>,
    /// The colony as it was given, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colony: Option<String>,
    /// The workload after overrides.
    pub resolved_spec: serde_json::Value,
    /// The workload whose JSON the id hashes.
    pub canonical_spec: serde_json::Value,
    /// Identity of the workload.
    pub workload_id: String,
    /// Identity of the probe.
    pub probe_id: String,
    /// Name of the datapoint in its sweep.
    #[serde(default)]
    pub row_id: Option<String>,
    /// What a reader should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl RunCmd {
    /// An option's value on the recorded command line, in either form that it takes: `--flag value`
    /// or `--flag=value`.
    pub(crate) fn option(&self, flag: &str) -> Option<&str> {
        let mut words = self.argv.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix(flag).map(|rest| (rest, rest.strip_prefix('='))) {
                Some(("", _)) => return words.next().map(String::as_str),
                Some((_, Some(value))) => return Some(value),
                _ => {}
            }
        }
        None
    }
}
