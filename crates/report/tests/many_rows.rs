//! A report of more rows than anybody draws.

use std::path::Path;

use vram_artifacts::run_record::read;
use vram_presets::library::Library;
use vram_report::catalogue::Catalogue;
use vram_report::document::{self, Studies, names};
use vram_report::runs::Runs;

/// The tables hold every row, and the page can still be opened.
#[test]
fn of_many_rows_some_are_drawn() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results/cpu");
    let run = read(&docs.join("DP1_smallxreal_B16")).unwrap();
    let catalogue = Catalogue::new(&Library::built_in());
    let said = "The first 200 rows are drawn.";
    for (rows, is_said) in [(200, false), (201, true)] {
        let row = |n: usize| {
            let mut run = run.clone();
            run.id = format!("R{n}");
            run
        };
        let runs = Runs { records: (0..rows).map(row).collect(), ..Runs::default() };
        let out = tempfile::tempdir().unwrap();
        let studies = Studies::new(&runs).unwrap();
        document::write(&runs, &studies, &catalogue, out.path()).unwrap();
        let report = std::fs::read_to_string(out.path().join(names::REPORT)).unwrap();
        assert_eq!(report.contains(said), is_said, "{rows} rows");
        let page = std::fs::read_to_string(out.path().join(names::PAGE)).unwrap();
        assert!(page.contains(&format!("R{}", rows - 1)));
    }
}
