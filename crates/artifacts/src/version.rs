//! Which version of the keys artifacts have.

/// Version of the keys that this project adds. Absent in the original harness's artifacts.
pub const ARTIFACT_VERSION: &str = "vram_artifacts_v1";
