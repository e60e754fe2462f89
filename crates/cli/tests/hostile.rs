//! Artifacts that nobody wrote: whatever lies in a run directory is read or refused, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vram_cli::artifacts::{self, ArtifactError};
use vram_cli::study::{Catalogue, Runs, Study, Terms};

const FILES: [&str; 3] = ["metrics.json", "run_cmd.txt", "env.json"];

fn original(name: &str) -> Vec<u8> {
    let run = "tests/data/torch_h200/dp01_smallxreal_B16";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(run).join(name)).unwrap()
}

/// A real run of which one file is `text`.
fn run_with(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("row");
    fs::create_dir(&run).unwrap();
    for file in FILES {
        fs::write(run.join(file), original(file)).unwrap();
    }
    fs::write(run.join(name), text).unwrap();
    (dir, run)
}

/// Everything that a report does with a run that can be read.
fn use_it(run: &Path) {
    let Ok(record) = artifacts::read(run) else { return };
    let runs = Runs { records: vec![record], unreadable: Vec::new() };
    for terms in [Terms::Ring, Terms::RingStateToken] {
        if let Ok(study) = Study::new(&runs, terms) {
            study.lines(&Catalogue::default());
        }
    }
}

/// A place in JSON text where a value begins, and something else in its place.
fn other_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("-1".to_owned()),
        Just("1e400".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("\"\"".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        any::<u64>().prop_map(|x| x.to_string()),
    ]
}

/// Deeper than any stack, in each artifact.
#[test]
fn nesting_is_refused_before_the_stack_ends() {
    for which in FILES {
        for part in ["[", "{\"resolved_spec\":"] {
            let (_dir, run) = run_with(which, part.repeat(100_000).as_bytes());
            assert!(matches!(artifacts::read(&run), Err(ArtifactError::Parse { .. })));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_run(
        which in 0..FILES.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let (_dir, run) = run_with(FILES[which], &bytes);
        prop_assert!(artifacts::read(&run).is_err());
    }

    #[test]
    fn a_truncated_artifact_is_never_read_as_whole(which in 0..FILES.len(), part in 0.0..1.0f64) {
        let whole = String::from_utf8(original(FILES[which])).unwrap();
        let whole = whole.trim_end();
        let cut = (whole.len() as f64 * part) as usize;
        let (_dir, run) = run_with(FILES[which], &whole.as_bytes()[..cut]);
        prop_assert!(artifacts::read(&run).is_err());
    }

    #[test]
    fn flipped_bytes_never_panic(
        which in 0..FILES.len(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = original(FILES[which]);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (_dir, run) = run_with(FILES[which], &bytes);
        use_it(&run);
    }

    /// Numbers, nulls and nonsense in the place of any value.
    #[test]
    fn other_values_never_panic(
        which in 0..FILES.len(),
        key in any::<prop::sample::Index>(),
        value in other_value(),
    ) {
        let text = String::from_utf8(original(FILES[which])).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let at = key.index(lines.len());
        let changed: Vec<String> = lines.iter().enumerate().map(|(i, line)| {
            match line.split_once(": ") {
                Some((key, old)) if i == at && !old.starts_with(['{', '[']) => {
                    let comma = if old.ends_with(',') { "," } else { "" };
                    format!("{key}: {value}{comma}")
                }
                _ => (*line).to_owned(),
            }
        }).collect();
        let (_dir, run) = run_with(FILES[which], changed.join("\n").as_bytes());
        use_it(&run);
    }
}
