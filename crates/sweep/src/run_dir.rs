//! Where a sweep's runs go when nobody says where.

use std::path::{Path, PathBuf};

const RUNS: &str = "runs";

/// A directory that is named after now, in UTC, and `what` is run.
pub(crate) fn named_after_now(what: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    Path::new(RUNS).join(format!("{now}-{what}"))
}

/// The newest directory that is named after `what`.
pub(crate) fn newest(what: &str) -> Option<PathBuf> {
    let suffix = format!("-{what}");
    let entries = std::fs::read_dir(RUNS).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|p| p.to_string_lossy().ends_with(&suffix)).max()
}
