//! `env.json`: the machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `env.json`: the machine. A fact that cannot be had is null, with a line in `errors`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Env {
    /// See [`ARTIFACT_VERSION`](crate::version::ARTIFACT_VERSION).
    pub artifact_version: Option<String>,
    /// When this was written, UTC.
    pub generated_utc: Option<String>,
    /// `vram` and its version.
    pub tool_version: Option<String>,
    /// The GPU's name.
    pub gpu_name: Option<String>,
    /// The processor's name.
    #[serde(default)]
    pub cpu_name: Option<String>,
    /// Threads of the host.
    #[serde(default)]
    pub cpu_threads: Option<u64>,
    /// The device's memory in bytes.
    pub total_vram_bytes: Option<u64>,
    /// Bytes of it that were free, or could be freed, before the run.
    #[serde(default)]
    pub available_vram_bytes: Option<u64>,
    /// What the process holds on the card outside its memory pool before the run: this much less
    /// of the total is left for what the pool reserves.
    #[serde(default)]
    pub context_bytes: Option<u64>,
    /// The driver's version.
    pub driver_version: Option<String>,
    /// The newest CUDA version that the driver supports.
    pub cuda_version: Option<String>,
    /// The card's compute capability.
    #[serde(default)]
    pub compute_capability: Option<String>,
    /// `WDDM` or `TCC` on Windows, `N/A` elsewhere.
    #[serde(default)]
    pub driver_model: Option<String>,
    /// The card's identity.
    #[serde(default)]
    pub gpu_uuid: Option<String>,
    /// Whether the card was a stand-in that computes nothing; false where the key is missing, which it
    /// is in artifacts from before there was such a card.
    #[serde(default)]
    pub virtual_card: bool,
    /// Always null: there is no torch here.
    pub torch_version: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// Precision of the run; null where there is no run.
    pub precision: Option<String>,
    /// Whether the run is under amp; null where there is no run.
    pub amp: Option<u8>,
    /// Commit of the working directory's repository.
    pub git_commit: Option<String>,
    /// Whether that repository has changes.
    pub git_dirty: Option<bool>,
    /// Environment variables that change a measurement.
    #[serde(default)]
    pub env_vars: BTreeMap<String, Option<String>>,
    /// One line per fact that is null.
    #[serde(default)]
    pub errors: Vec<String>,
}
