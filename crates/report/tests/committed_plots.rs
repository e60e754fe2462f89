//! Every plot under docs/ is what comes of the runs beside it.

use std::path::{Path, PathBuf};

use vram_presets::library::Library;
use vram_report::catalogue::Catalogue;
use vram_report::document::{self, Studies, names};
use vram_report::runs::Runs;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Drawings in a directory and in those that it holds.
fn drawings(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            drawings(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "svg") {
            found.push(path);
        }
    }
}

#[test]
fn committed_plots_are_of_the_runs_beside_them() {
    let mut found = Vec::new();
    drawings(&docs(), &mut found);
    assert!(found.len() >= 9, "{found:?}");
    let catalogue = Catalogue::new(&Library::built_in());
    let out = tempfile::tempdir().unwrap();
    for plot in found {
        let dir = plot.parent().unwrap();
        assert_eq!(
            plot.file_name().unwrap(),
            names::PLOT,
            "nothing says what {plot:?} is drawn of"
        );
        let runs = Runs::load(&[dir.to_owned()], &|_| ()).unwrap();
        document::write(&runs, &Studies::new(&runs).unwrap(), &catalogue, out.path()).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert!(
            read(&plot) == read(&out.path().join(names::PLOT)),
            "{} is stale: `vram report {} --out-dir DIR` draws it again",
            plot.display(),
            dir.display()
        );
    }
}
