//! `--format capacity-model-v1`: the file that the original's pickers read (VRA-35).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{SMALL, agree, change, copied, stdout, torch, vram};

/// Bytes of the published card.
const PUBLISHED_CARD: u64 = 17_170_956_288;

fn model(dir: &std::path::Path) -> Value {
    let text = stdout(&["fit", "--format", "capacity-model-v1", dir.to_str().unwrap()]);
    serde_json::from_str(&text).unwrap()
}

/// What the original's pickers do with the file.
fn pick(model: &Value, combo: &Value, ratio: f64) -> u64 {
    let lines = (combo["base_alloc_bytes"].as_i64(), combo["per_batch_alloc_bytes"].as_i64());
    let (Some(base), Some(per_batch)) = lines else {
        return combo["measured_max_batch"].as_u64().unwrap();
    };
    let limit = (ratio * PUBLISHED_CARD as f64).floor() as i64;
    let left = limit - model["overhead_bytes"].as_i64().unwrap() - base;
    left.div_euclid(per_batch).max(1) as u64
}

fn combo<'a>(model: &'a Value, name: &str) -> &'a Value {
    let combos = model["combos"].as_array().unwrap();
    combos.iter().find(|combo| combo["combo_name"] == name).unwrap_or_else(|| panic!("{model:#}"))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_file_has_the_contracts_keys() {
    let model = model(&torch());
    let expected = [
        "schema_version",
        "guard_basis",
        "guard_ratio",
        "safe_start_ratio",
        "measure_steps",
        "overhead_bytes",
        "track",
        "calibrated_on",
        "notes",
        "runs_root",
        "combos",
    ];
    assert_eq!(keys(&model), expected.into());
    assert_eq!(keys(&model["track"]), ["out_dim", "precision", "amp"].into());
    let card = ["gpu_name", "total_vram_bytes", "driver_version", "torch_version", "os"];
    assert_eq!(keys(&model["calibrated_on"]), card.into());
    let expected = [
        "combo_name",
        "combo_key",
        "combo_spec_no_batch",
        "ant_path",
        "colony_path",
        "base_alloc_bytes",
        "per_batch_alloc_bytes",
        "measured_max_batch",
        "boundary_fail_batch",
        "boundary_fail_reasons",
        "fit_points",
        "pass_runs",
    ];
    let small = combo(&model, "smallxreal");
    assert_eq!(keys(small), expected.into());
    for points in ["fit_points", "pass_runs"] {
        let point = ["batch", "alloc", "reserved", "run_dir"];
        assert_eq!(keys(&small[points][0]), point.into());
    }
    assert_eq!(small["fit_points"][0]["run_dir"], SMALL[0]);
    assert_eq!(model["schema_version"], "capacity_model_v1");
    assert_eq!(model["guard_basis"], "reserved");
    assert_eq!((&model["guard_ratio"], &model["safe_start_ratio"]), (&json!(0.92), &json!(0.85)));
    assert_eq!(model["track"], json!({ "out_dim": 1, "precision": "fp16", "amp": 1 }));
    assert_eq!(model["calibrated_on"]["gpu_name"], "NVIDIA H200");
}

/// The contract's vectors, and what the original measured on the published card: 28 for small x real, 3 for
/// real x real, and 1 for stress x real, of which one batch was measured.
#[test]
fn its_keys_and_batches_are_the_originals() {
    let model = model(&torch());
    let (small, real) = (combo(&model, "smallxreal"), combo(&model, "realxreal"));
    assert_eq!(small["combo_key"], "combo_v1_91710b8befec");
    assert_eq!(real["combo_key"], "combo_v1_33ffd4841493");
    assert_eq!(small["combo_spec_no_batch"]["colony_spec"].get("batch_size"), None);
    assert_eq!((pick(&model, small, 0.92), pick(&model, real, 0.92)), (28, 3));
    assert!(pick(&model, small, 0.85) <= 28 && pick(&model, real, 0.85) <= 3);
    let stress = combo(&model, "stressxreal");
    assert_eq!(stress["base_alloc_bytes"], Value::Null);
    assert_eq!(stress["per_batch_alloc_bytes"], Value::Null);
    assert_eq!(pick(&model, stress, 0.92), 1);
    // The median of eight differences.
    let mut differences: Vec<i64> = model["combos"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|combo| combo["pass_runs"].as_array().unwrap())
        .map(|run| run["reserved"].as_i64().unwrap() - run["alloc"].as_i64().unwrap())
        .collect();
    differences.sort_unstable();
    assert_eq!(differences.len(), 8);
    assert_eq!(model["overhead_bytes"], (differences[3] + differences[4]) / 2);
}

/// Keys in order, two spaces.
#[test]
fn it_is_written_as_the_original_writes_it() {
    let text = stdout(&["fit", "--format", "capacity-model-v1", torch().to_str().unwrap()]);
    assert!(text.starts_with("{\n  \"calibrated_on\": {\n    \"driver_version\":"), "{text}");
    assert!(text.ends_with("}\n"));
}

#[test]
fn a_boundary_that_failed_is_named_and_not_fitted() {
    let dir = copied(&SMALL);
    change(&dir.path().join(SMALL[1]).join("metrics.json"), |m| {
        m["stability_pass"] = json!(false);
        m["fail_reasons"] = json!(["step_time_explosion", "vram_guard"]);
    });
    let model = model(dir.path());
    let small = combo(&model, "smallxreal");
    assert_eq!(
        (&small["measured_max_batch"], &small["boundary_fail_batch"]),
        (&json!(24), &json!(32))
    );
    assert_eq!(small["boundary_fail_reasons"], json!(["step_time_explosion", "vram_guard"]));
    assert_eq!(small["pass_runs"].as_array().unwrap().len(), 2);
}

#[test]
fn runs_of_two_tracks_or_none_that_passed_are_refused() {
    let dir = copied(&SMALL);
    let row = |name: &str| dir.path().join(name);
    change(&row(SMALL[0]).join("metrics.json"), |m| m["out_dim"] = json!(16));
    agree(&row(SMALL[0]));
    let refused = |said: &str| {
        let output = vram(&["fit", "--format", "capacity-model-v1", dir.path().to_str().unwrap()])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    };
    refused("out_dim 16");
    for name in SMALL {
        change(&row(name).join("metrics.json"), |m| {
            m["out_dim"] = json!(1);
            m["stability_pass"] = json!(false);
            m["fail_reasons"] = json!(["nan_or_inf"]);
        });
        agree(&row(name));
    }
    refused("no run passed");
}
