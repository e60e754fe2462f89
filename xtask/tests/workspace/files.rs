//! How long a source may be, and tests that documents name.

use std::path::{Path, PathBuf};

use crate::{metadata, root, text};

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

/// Every source of the workspace and of the fuzz targets.
fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for package in metadata().workspace_packages() {
        let folder = package.manifest_path.parent().unwrap();
        for part in ["src", "tests", "benches", "examples"].map(|part| folder.join(part)) {
            if part.is_dir() {
                sources(part.as_std_path(), &mut found);
            }
        }
        found.extend(Some(folder.join("build.rs").into()).filter(|path: &PathBuf| path.is_file()));
    }
    sources(&root().join("fuzz/fuzz_targets"), &mut found);
    assert!(found.len() > 200, "{} sources", found.len());
    found
}

#[test]
fn no_source_is_longer_than_400_lines() {
    let found = all_sources();
    let length = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count();
    let long = found.iter().map(|path| (path.strip_prefix(root()).unwrap(), length(path)));
    let long: Vec<_> = long.filter(|(_, lines)| *lines > LONGEST).collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
}

/// A test that is renamed is renamed where it is named as evidence.
#[test]
fn tests_that_documents_name_are_there() {
    let page = text("docs/reliability.md");
    let quoted = page.split('`').skip(1).step_by(2);
    let is_name = |word: &&str| {
        word.matches('_').count() > 2
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let named: Vec<&str> = quoted.filter(is_name).collect();
    assert!(named.len() > 40, "{named:?}");
    let sources: String =
        all_sources().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let gone = named.into_iter().filter(|name| {
        let declared = [format!("fn {name}("), format!("{name}:"), format!("{name},")];
        !declared.iter().any(|text| sources.contains(text))
    });
    assert_eq!(gone.collect::<Vec<_>>(), Vec::<&str>::new());
}
