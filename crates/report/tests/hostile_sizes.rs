//! Sizes that no machine has, in specs and in runs whose artifacts agree on them: refused before
//! anything is allocated, or reported, never a panic.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use vram_artifacts::run_record::{RunRecord, from_texts, read};
use vram_presets::library::{Library, workload_from_text};
use vram_presets::spec::WorkloadSpec;
use vram_report::catalogue::Catalogue;
use vram_report::document::{self, Studies};
use vram_report::runs::Runs;
use vram_source::text::Syntax;
use vram_workload::extent::Extent;
use vram_workload::shape::Shape;

const METRICS: &str =
    include_str!("../../artifacts/tests/data/torch_h200/dp01_smallxreal_B16/metrics.json");
const RUN_CMD: &str =
    include_str!("../../artifacts/tests/data/torch_h200/dp01_smallxreal_B16/run_cmd.txt");
const ENV: &str =
    include_str!("../../artifacts/tests/data/torch_h200/dp01_smallxreal_B16/env.json");

/// Sizes of every magnitude, the largest included.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0u32..64, any::<u64>()).prop_map(|(shift, n)| (n >> shift).max(1)),
        Just(u64::MAX),
        Just(1 << 62),
    ]
}

fn workload([ring_len, slot_dim, batch_size, synth_len]: [u64; 4]) -> WorkloadSpec {
    let text = json!({
        "ant_spec": {
            "precision": "fp16", "ptr_dtype": "fp64", "ring_len": ring_len, "slot_dim": slot_dim,
        },
        "colony_spec": {
            "batch_size": batch_size, "ptr_update_every": 1, "seq_len": synth_len,
            "state_loop_samples": 0, "synth_len": synth_len,
        },
    });
    workload_from_text(&text.to_string(), Syntax::Json).unwrap()
}

/// A run whose artifacts agree on these sizes, and that measured these peaks.
fn consistent(
    sizes: [u64; 4],
    out_dim: u64,
    [reserved, allocated, granule]: [u64; 3],
) -> RunRecord {
    let spec = workload(sizes);
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (mut metrics, mut run_cmd, mut env) = (parsed(METRICS), parsed(RUN_CMD), parsed(ENV));
    for ids in [&mut metrics, &mut run_cmd] {
        ids["workload_id"] = json!(spec.workload_id());
        ids["probe_id"] = json!(spec.probe_id(out_dim, true));
    }
    metrics["out_dim"] = json!(out_dim);
    metrics["batch_size"] = json!(spec.colony.batch_size);
    metrics["seq_len"] = json!(spec.colony.seq_len);
    metrics["synth_len"] = json!(spec.colony.synth_len);
    metrics["peak_vram_reserved_bytes"] = json!(reserved);
    metrics["peak_vram_allocated_bytes"] = json!(allocated);
    metrics["pool_granule_bytes"] = json!(granule);
    metrics["total_vram_bytes"] = json!(u64::MAX);
    env["total_vram_bytes"] = json!(u64::MAX);
    run_cmd["resolved_spec"] = spec.to_json();
    run_cmd["canonical_spec"] = spec.to_json();
    run_cmd["argv"] = json!(["vram", "probe", "--ant", "small", "--colony", "real"]);
    let [metrics, run_cmd, env] = [metrics, run_cmd, env].map(|value| value.to_string());
    from_texts(Path::new("row"), &metrics, &run_cmd, &env).unwrap()
}

/// Everything that a report computes of these runs beside two real ones.
fn report_on(hostile: Vec<RunRecord>) {
    let real = ["dp01_smallxreal_B16", "dp02_smallxreal_B32"].map(|name| {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/tests/data/torch_h200");
        read(&data.join(name)).unwrap()
    });
    let records = real.into_iter().chain(hostile).collect();
    let runs = Runs { records, ..Runs::default() };
    let out = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::new(&Library::built_in());
    if let Ok(studies) = Studies::new(&runs) {
        let _ = document::write(&runs, &studies, &catalogue, out.path());
    }
}

/// The report rounds to it: nothing divides by zero, and nothing is rounded beyond 64 bits.
#[test]
fn a_granule_of_no_size_or_of_any_is_reported() {
    let sizes = [2048, 256, 16, 256];
    report_on(vec![consistent(sizes, 2, [9, 8, 0])]);
    report_on(vec![consistent(sizes, 1, [u64::MAX, u64::MAX - 1, 1 << 62])]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The memory that a shape asks for can be addressed, or the sizes are refused beforehand.
    #[test]
    fn sizes_are_addressable_or_refused(sizes in [size(), size(), size(), size()], out_dim in size()) {
        let exact = sizes.iter().try_fold(4u128, |acc, &f| acc.checked_mul(u128::from(f)));
        let addressable = |bytes: Option<u128>| bytes.is_some_and(|b| b <= isize::MAX as u128);
        match Shape::new(&workload(sizes), out_dim, true) {
            Ok(shape) => {
                prop_assert!(addressable(exact));
                prop_assert!(shape.state_len() >= 1 && shape.tokens() >= 1);
                prop_assert!(addressable(Some(4 * u128::from(Extent::Parameters.of(&shape)))));
            }
            Err(error) => {
                let largest = sizes.iter().chain([&out_dim]).max();
                prop_assert!(largest >= Some(&1024), "{error}");
            }
        }
    }

    /// Runs of sizes and peaks that no machine has, beside real ones.
    #[test]
    fn runs_of_any_size_are_reported_or_refused(
        sizes in [size(), size(), size(), size()],
        bytes in [size(), size(), size()],
        out_dim in 1u64..3,
        times in 1u64..4,
    ) {
        let grown = |i: u64| sizes.map(|n| n.saturating_add(i));
        report_on((0..times).map(|i| consistent(grown(i), out_dim, bytes)).collect());
    }
}
