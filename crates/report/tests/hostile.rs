//! Runs that nobody measured: what can be read of them is reported or refused, never a panic.

#[path = "../../artifacts/tests/hostile/support.rs"]
mod support;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use support::{FILES, original, run_with};
use vram_artifacts::run_record::read;
use vram_report::catalogue::Catalogue;
use vram_report::runs::Runs;
use vram_report::study::Study;
use vram_report::terms::Terms;

/// Everything that a report does with a run that can be read.
fn use_it(run: &Path) {
    let Ok(record) = read(run) else { return };
    let runs = Runs { records: vec![record], ..Runs::default() };
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

/// A run that cannot be read: named it is refused; among others it is listed, and they are read.
#[test]
fn a_run_that_is_refused_keeps_no_other_out() {
    let mut metrics: Value = serde_json::from_slice(&original("metrics.json")).unwrap();
    metrics["batch_size"] = 17.into();
    let (dir, run) = run_with("metrics.json", metrics.to_string().as_bytes());
    let message = read(&run).unwrap_err().to_string();
    let load = |dir: &Path| Runs::load(&[dir.to_owned()], &|_| ());
    assert!(load(&run).is_err());
    let (_other, good) = run_with("env.json", &original("env.json"));
    fs::rename(good, dir.path().join("good")).unwrap();
    let runs = load(dir.path()).unwrap();
    assert_eq!((runs.records.len(), runs.unreadable.len()), (1, 1));
    assert_eq!(runs.unreadable[0].1.to_string(), message);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

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
