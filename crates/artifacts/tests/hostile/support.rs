//! A real run of which one file is something else.

use std::fs;
use std::path::{Path, PathBuf};

pub const FILES: [&str; 3] = ["metrics.json", "run_cmd.txt", "env.json"];

pub fn original(name: &str) -> Vec<u8> {
    let run = "../artifacts/tests/data/torch_h200/dp01_smallxreal_B16";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(run).join(name)).unwrap()
}

/// A real run of which one file is `text`.
pub fn run_with(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("row");
    fs::create_dir(&run).unwrap();
    for file in FILES {
        fs::write(run.join(file), original(file)).unwrap();
    }
    fs::write(run.join(name), text).unwrap();
    (dir, run)
}
