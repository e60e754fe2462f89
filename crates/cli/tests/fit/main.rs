//! `vram fit` and `vram report` on the original harness's eight rows (one H200, torch 2.11), and on
//! what can be wrong with run directories.

mod capacity_model;
mod machines;
mod refused;
mod support;
mod virtual_card;

use std::fs;

use serde_json::{Value, json};
use support::{SMALL, agree, change, copied, fit_json, mark_synthetic, stdout, torch};

#[test]
fn the_published_slopes_again_on_another_machine() {
    let fit = fit_json(&torch(), &[]);
    let tier = |name: &str| {
        let tiers = fit["tiers"].as_array().unwrap();
        tiers.iter().find(|t| t["name"] == name).unwrap().clone()
    };
    let slope = |name: &str| format!("{:.4}", tier(name)["k_ring"].as_f64().unwrap());
    assert_eq!((slope("small"), slope("real")), ("2.0400".to_owned(), "2.0158".to_owned()));
    let small = tier("small");
    assert_eq!(small["ring_len"], 2048);
    assert_eq!((&small["precision"], &small["amp"]), (&json!("fp16"), &json!(1)));
    assert_eq!((&small["points"], &small["anchored"]), (&json!(3), &json!(false)));
    assert_eq!(small["k_ring_ci95"].as_array().unwrap().len(), 2);
    let stress = tier("stress");
    assert_eq!((&stress["anchored"], &stress["k_ring_ci95"]), (&json!(true), &Value::Null));
    assert_eq!(stress["k_ring"], tier("real")["k_ring"]);
    for key in ["base_alloc_bytes", "overhead_bytes", "slot_dim"] {
        assert!(small[key].is_i64(), "{key}");
    }

    let rows = fit["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    let dp1 = rows.iter().find(|r| r["id"] == "dp01_smallxreal_B16").unwrap();
    assert_eq!(dp1["workload_id"], "wl_v1_831069834653");
    assert_eq!(dp1["meas_reserved_bytes"], 8_868_855_808_u64);
    assert_eq!(dp1["meas_allocated_bytes"], 8_843_214_336_u64);
    assert!(dp1["pred_reserved_bytes"].is_u64());
    for (key, value) in [
        ("precision", json!("fp16")),
        ("step", json!("fused")),
        ("tape", json!("full")),
        ("ring_len", json!(2048)),
        ("synth_len", json!(256)),
        ("batch_size", json!(16)),
        ("notes", json!("published: baseline")),
        (
            "published",
            json!({ "pred_reserved_gib": 8.215, "meas_reserved_gib": 8.215, "err_percent": 0.0 }),
        ),
    ] {
        assert_eq!(dp1[key], value, "{key}");
    }
    assert_eq!(
        (&fit["guard"], &fit["calibration"]),
        (&json!(0.92), &json!("rtx4070tisuper_published"))
    );
    assert_eq!(small["published"]["k_ring"], json!(2.0398));
    assert!(rows.iter().all(|r| r["err_percent"].as_f64().unwrap().abs() < 0.7));
    assert_eq!(fit["excluded"], json!([]));
}

#[test]
fn the_table() {
    insta::assert_snapshot!(stdout(&["fit", torch().to_str().unwrap()]));
}

#[test]
fn the_pooled_table() {
    let dir = torch();
    insta::assert_snapshot!(stdout(&["fit", "--terms", "ring,state,token", dir.to_str().unwrap()]));
}

#[test]
fn the_csv_has_a_line_per_row_in_bytes() {
    let csv = stdout(&["fit", "--format", "csv", torch().to_str().unwrap()]);
    assert_eq!(csv.lines().count(), 9);
    assert!(csv.contains("8868855808,8843214336"));
}

#[test]
fn what_stays_out_is_listed_with_its_reason() {
    let dir = copied(
        &[
            &SMALL[..],
            &[
                "dp03_realxreal_B02",
                "dp04_realxreal_B03",
                "dp05_realxsmall_B04",
                "dp08_realxreal_B01",
            ],
        ]
        .concat(),
    );
    let metrics = |row: &str| dir.path().join(row).join("metrics.json");
    change(&metrics(SMALL[0]), |m| m["fail_reasons"] = json!(["heartbeat_stall", "vram_guard"]));
    // The guard says nothing against a peak.
    change(&metrics(SMALL[1]), |m| {
        m["fail_reasons"] = json!(["vram_guard"]);
        m["stability_pass"] = json!(false);
    });
    change(&metrics("dp03_realxreal_B02"), |m| m["max_step_time_s"] = json!(9.0));
    change(&metrics("dp04_realxreal_B03"), |m| m["peak_vram_reserved_bytes"] = Value::Null);
    change(&metrics("dp05_realxsmall_B04"), |m| m["peak_vram_reserved_bytes"] = json!(1));
    fs::write(metrics("dp08_realxreal_B01"), "{").unwrap();
    let fit = fit_json(dir.path(), &[]);
    let ids: Vec<_> =
        fit["rows"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    // In the order in which they ran: DP9 before DP2.
    assert_eq!(ids, [SMALL[2], SMALL[1]]);
    let reason = |id: &str| {
        let excluded = fit["excluded"].as_array().unwrap();
        let found = excluded.iter().find(|e| e["id"] == id).unwrap();
        found["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(SMALL[0]), "failed: heartbeat_stall, vram_guard");
    assert!(reason("dp03_realxreal_B02").starts_with("longest step took"));
    assert_eq!(reason("dp04_realxreal_B03"), "no peak was measured");
    assert!(reason("dp05_realxsmall_B04").contains("reserves less than it allocates"));
    assert!(reason("dp08_realxreal_B01").starts_with("unreadable: "));
}

/// Synthetic: real rows, changed into what a card in the paging regime reports. Each is left out
/// with its reason; a real x real B4 that ran clean (DP7 of the published table did not) is a row
/// like any other.
#[test]
fn the_paging_regime_is_left_out_and_a_clean_row_is_not() {
    let dir = copied(&[&SMALL[..], &["dp03_realxreal_B02", "dp04_realxreal_B03"]].concat());
    let row = |name: &str| dir.path().join(name);
    for (name, what) in [
        (SMALL[0], "run under WDDM"),
        (SMALL[1], "run on a smaller card"),
        (SMALL[2], "five steps, one of which was long"),
        ("dp03_realxreal_B02", "forty steps that exploded"),
        ("dp04_realxreal_B03", "run with one sample more"),
    ] {
        mark_synthetic(&row(name), what);
    }
    change(&row(SMALL[0]).join("env.json"), |e| e["driver_model"] = json!("WDDM"));
    change(&row(SMALL[1]).join("env.json"), |e| e["total_vram_bytes"] = json!(17_170_956_288u64));
    // Five steps, of which the longest took three medians: floor(0.95 * 4) = 3 does not see it, the
    // maximum does.
    change(&row(SMALL[2]).join("metrics.json"), |m| {
        m["measure_steps"] = json!(5);
        m["median_step_time_s"] = json!(1.0);
        m["max_step_time_s"] = json!(3.0);
    });
    agree(&row(SMALL[2]));
    // Forty steps, of which enough were long for the gate to see them.
    change(&row("dp03_realxreal_B02").join("metrics.json"), |m| {
        m["measure_steps"] = json!(40);
        m["stability_pass"] = json!(false);
        m["fail_reasons"] = json!(["step_time_explosion"]);
    });
    agree(&row("dp03_realxreal_B02"));
    change(&row("dp04_realxreal_B03").join("run_cmd.txt"), |r| {
        r["resolved_spec"]["colony_spec"]["batch_size"] = json!(4);
    });
    agree(&row("dp04_realxreal_B03"));
    let fitted = fit_json(dir.path(), &[]);
    let reason = |id: &str| {
        let excluded = fitted["excluded"].as_array().unwrap();
        let found = excluded.iter().find(|e| e["id"] == id);
        found.map(|e| e["reason"].as_str().unwrap().to_owned())
    };
    assert!(reason(SMALL[0]).unwrap().contains("paging regime: under the WDDM driver model"));
    assert!(reason(SMALL[1]).unwrap().contains("reserved more than the device has"));
    assert_eq!(reason(SMALL[2]).unwrap(), "longest step took 3.0 x the median step");
    assert_eq!(reason("dp03_realxreal_B02").unwrap(), "failed: step_time_explosion");
    assert_eq!(reason("dp04_realxreal_B03"), None);
    assert_eq!(fitted["rows"].as_array().unwrap().len(), 1);
}

/// Synthetic: a real row, changed into one beside which another process took a gigabyte, and one
/// beside which the driver took a page for itself.
#[test]
fn a_row_that_was_not_alone_is_left_out() {
    let dir = copied(&SMALL);
    let moved = |row: &str, bytes: u64| {
        mark_synthetic(&dir.path().join(row), "not alone on its card");
        let metrics = dir.path().join(row).join("metrics.json");
        change(&metrics, |m| m["vram_disturbance_bytes"] = json!(bytes));
    };
    moved(SMALL[0], 1 << 30);
    moved(SMALL[1], 2 << 20);
    let fitted = fit_json(dir.path(), &[]);
    assert_eq!(fitted["rows"].as_array().unwrap().len(), 2);
    assert_eq!(fitted["excluded"][0]["id"], SMALL[0]);
    let reason = "disturbed: what others hold on the device moved by 1073741824 bytes";
    assert_eq!(fitted["excluded"][0]["reason"], reason);
}

/// Another out_dim is another probe: shown beside the fit's prediction, never fitted.
#[test]
fn a_spot_check_is_predicted_and_not_fitted() {
    let dir = copied(&SMALL);
    let spot = dir.path().join(SMALL[0]).join("metrics.json");
    change(&spot, |m| {
        m["out_dim"] = json!(16);
    });
    agree(&dir.path().join(SMALL[0]));
    let fit = fit_json(dir.path(), &[]);
    assert_eq!(fit["rows"].as_array().unwrap().len(), 2);
    assert_eq!(fit["excluded"][0]["reason"], "spot check (out_dim 16): reported, never fitted");
    let table = stdout(&["fit", dir.path().to_str().unwrap()]);
    let line = table.lines().find(|l| l.contains("dp01")).unwrap();
    assert!(
        line.contains("8.260") && line.contains("out_dim 16; spot check, not fitted"),
        "{line}"
    );
}

#[test]
fn precisions_never_mix_in_a_tier() {
    let dir = copied(&SMALL);
    let row = dir.path().join(SMALL[0]);
    for name in ["metrics.json", "run_cmd.txt"] {
        let text = fs::read_to_string(row.join(name)).unwrap().replace("fp16", "bf16");
        fs::write(row.join(name), text).unwrap();
    }
    agree(&row);
    let fit = fit_json(dir.path(), &[]);
    let tiers = fit["tiers"].as_array().unwrap();
    let names: Vec<_> = tiers.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["2048x256 bf16 amp1 cuda (NVIDIA H200)", "2048x256 fp16 amp1 cuda (NVIDIA H200)"]
    );
}

#[test]
fn a_report_is_five_files_that_say_the_same() {
    let out = tempfile::tempdir().unwrap();
    let out_dir = out.path().to_str().unwrap();
    let listed = stdout(&["report", torch().to_str().unwrap(), "--out-dir", out_dir]);
    assert_eq!(listed.lines().count(), 5);
    let read = |name: &str| fs::read_to_string(out.path().join(name)).unwrap();
    let (report, page) = (read("report.md"), read("report.html"));
    for row in fs::read_dir(torch()).unwrap() {
        let id = row.unwrap().file_name().into_string().unwrap();
        assert!(report.contains(&format!("--row-id {id}")), "{id}");
        assert!(read("table.csv").contains(&id) && page.contains(&format!("<td>{id}</td>")));
    }
    assert!(report.contains("vram probe --ant od1_canon_small --colony od1_canon_real --batch 16"));
    assert!(report.contains("![Predicted lines, measured points, residuals](peaks.svg)"));
    let calibration =
        vram_fit::calibration::Calibration::from_toml(&read("calibration.toml")).unwrap();
    assert_eq!(calibration.tiers.len(), 3);
    let svg = read("peaks.svg");
    assert!(svg.starts_with("<svg") && svg.contains("small (2048 x 256)") && svg.contains("dp06"));
}

#[test]
fn the_calibration_of_a_fit_predicts_its_rows() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("mine.toml");
    stdout(&["fit", torch().to_str().unwrap(), "--out", path.to_str().unwrap()]);
    let calibration =
        vram_fit::calibration::Calibration::from_toml(&fs::read_to_string(path).unwrap()).unwrap();
    let small = calibration.tiers.iter().find(|t| t.name == "small").unwrap();
    let predicted = small.predict(&[4 << 30]).unwrap().reserved_bytes as f64;
    assert!((predicted / 8_868_855_808.0 - 1.0).abs() < 0.007);
}
