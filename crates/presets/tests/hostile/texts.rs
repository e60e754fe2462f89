//! Real presets, and what is done to them.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vram_presets::library::workload_from_text;
use vram_source::text::Syntax;

const WORKLOAD: &str = r#"{
  "ant_spec": {
    "precision": "fp16",
    "ptr_dtype": "fp64",
    "ring_len": 2048,
    "slot_dim": 256
  },
  "colony_spec": {
    "batch_size": 16,
    "ptr_update_every": 1,
    "seq_len": 256,
    "state_loop_samples": 0,
    "synth_len": 256
  },
  "schema_version": "workload_schema_v1"
}"#;

/// The repository's ants, colonies and sweeps, and a workload in either syntax.
pub fn real() -> Vec<String> {
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let files = |folder| fs::read_dir(presets.join(folder)).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<PathBuf> =
        ["ants", "colonies", "sweeps"].into_iter().flat_map(files).collect();
    // A case's number means the same file everywhere.
    paths.sort();
    let mut texts: Vec<String> = paths.iter().map(|p| fs::read_to_string(p).unwrap()).collect();
    let workload = workload_from_text(WORKLOAD, Syntax::Json).unwrap();
    texts.push(toml::to_string(&workload.to_json()).unwrap());
    texts.push(WORKLOAD.to_owned());
    texts
}

/// Values that are out of range somewhere, or of no type that is asked for.
const ODD: &str = "18446744073709551615 18446744073709551616 9223372036854775807 \
    9223372036854775808 4611686018427387904 -9223372036854775809 -1 0 -0 1e400 -1e400 nan -nan inf \
    null true \"\" '' [] {} 0x7fffffffffffffff 1979-05-27 \"\\u0000\" \"\u{1f41c}\" \u{1f41c}";

/// Something else in the place of a value.
pub fn other_value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(ODD.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        (1usize..400).prop_map(|n| "[".repeat(n) + &"]".repeat(n)),
        (1usize..400).prop_map(|n| "{\"a\":".repeat(n) + "1" + &"}".repeat(n)),
        (1usize..400).prop_map(|n| "{a=".repeat(n) + "1" + &"}".repeat(n)),
    ]
}

/// `text` with `value` in the place of one of its values, in TOML or in JSON.
pub fn with_other_value(text: &str, at: prop::sample::Index, value: &str) -> String {
    let separator = if text.starts_with('{') { ": " } else { " = " };
    let with_value = |line: &&str| line.split_once(separator).is_some_and(|(_, v)| v != "{");
    let at = at.index(text.lines().filter(with_value).count());
    let chosen = text.lines().filter(with_value).nth(at).unwrap();
    let (key, old) = chosen.split_once(separator).unwrap();
    let comma = if old.ends_with(',') { "," } else { "" };
    text.replacen(chosen, &format!("{key}{separator}{value}{comma}"), 1)
}
