//! How long a file of the workspace may be.

use std::path::{Path, PathBuf};

use crate::{metadata, root};

/// The most lines of a file that can still be read at once.
const LONGEST: usize = 400;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| ["rs", "cu", "cuh"].iter().any(|s| e == *s)) {
            found.push(path);
        }
    }
}

#[test]
fn no_source_is_longer_than_400_lines() {
    let mut found = Vec::new();
    for package in metadata().workspace_packages() {
        let folder = package.manifest_path.parent().unwrap();
        for part in ["src", "tests", "benches", "examples"].map(|part| folder.join(part)) {
            if part.is_dir() {
                sources(part.as_std_path(), &mut found);
            }
        }
    }
    assert!(found.len() > 200, "{} sources", found.len());
    let length = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count();
    let long = found.iter().map(|path| (path.strip_prefix(root()).unwrap(), length(path)));
    let long: Vec<_> = long.filter(|(_, lines)| *lines > LONGEST).collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
}
