//! What is predicted before anything runs, against what was measured and published.

use serde_json::Value;
use vram_cli::commands;
use vram_cli::{Args, Exit};

fn reply(words: &[&str]) -> miette::Result<String> {
    let args = <Args as clap::Parser>::parse_from(["vram"].iter().chain(words));
    let reply = commands::run(&args)?;
    assert_eq!(reply.exit, Exit::Done);
    Ok(reply.text)
}

fn json(words: &[&str]) -> Value {
    serde_json::from_str(&reply(&[words, &["--format", "json"]].concat()).unwrap()).unwrap()
}

const SMALL: [&str; 6] =
    ["--ant", "od1_canon_small", "--colony", "od1_canon_real", "--precision", "fp16"];
const REAL: [&str; 6] =
    ["--ant", "od1_canon_real", "--colony", "od1_canon_real", "--precision", "fp16"];
const STRESS: [&str; 6] =
    ["--ant", "od1_canon_stress", "--colony", "od1_canon_real", "--precision", "fp16"];

fn predict(workload: &[&str], more: &[&str]) -> Value {
    json(&[&["predict"], workload, more].concat())
}

/// Peaks as they were measured on the H200 (docs/results/h200): allocated to the byte, reserved to
/// the granule.
#[test]
fn measured_peaks_are_predicted_without_a_card() {
    for (workload, batch, allocated, reserved) in [
        (SMALL, "16", 8_673_822_890u64, 8_690_597_888u64),
        (REAL, "1", 4_901_358_178, 4_932_501_504),
        (STRESS, "1", 13_021_532_386, 13_052_674_048),
    ] {
        let budget = predict(&workload, &["--batch", batch]);
        assert_eq!(budget["allocated_bytes"], allocated);
        assert_eq!(budget["reserved_bytes"], reserved);
        let bounds: Vec<u64> = serde_json::from_value(budget["reserved_bounds"].clone()).unwrap();
        assert!(bounds[0] <= reserved && reserved <= bounds[1]);
        assert!(budget["source"].as_str().unwrap().contains("the step's ledger"));
        assert!(budget["card_bytes"].as_u64().unwrap() > reserved);
    }
}

/// 8.215 GiB, as VRA-34 published it for DP1, in the published way.
#[test]
fn the_published_calibration_answers_in_its_own_way() {
    let published = ["--batch", "16", "--calibration", "rtx4070tisuper_published"];
    let budget = predict(&SMALL, &published);
    let gib = budget["reserved_bytes"].as_f64().unwrap() / f64::from(1 << 30);
    assert!((gib - 8.215).abs() < 0.0005, "{gib}");
    assert!(budget["source"].as_str().unwrap().contains("tier small"));
    let fp32 = [&["predict"][..], &SMALL[..4], &["--precision", "fp32"], &published].concat();
    let refused = reply(&fp32).unwrap_err();
    assert!(refused.to_string().contains("no tier for ring 2048 x 256 in fp32"), "{refused}");
}

/// The 16 GB card of the published table: 28 and 3 were measured there.
#[test]
fn the_published_card_holds_28_and_3() {
    for (workload, most) in [(SMALL, 28), (REAL, 3)] {
        let card = ["--vram", "17170956288", "--calibration", "rtx4070tisuper_published"];
        let capacity = json(&[&["capacity"], &workload[..], &card].concat());
        assert_eq!(capacity["max_batch"], most);
        assert_eq!(capacity["limit_bytes"], (17_170_956_288f64 * 0.92) as u64);
        assert!(capacity["safe_batch"].as_u64().unwrap() <= most);
        let next = capacity["next_reserved_bytes"].as_u64();
        assert!(next > capacity["limit_bytes"].as_u64());
    }
}

#[test]
fn a_card_that_holds_no_sample_says_so() {
    let capacity = ["capacity", "--vram", "4GiB"];
    let text = reply(&[&capacity[..], &STRESS].concat()).unwrap();
    assert!(text.starts_with("maximum batch  0: one sample reserves 12.156 GiB"), "{text}");
    let all = json(&["capacity", "--all", "--vram", "16GiB"]);
    let all = all.as_array().unwrap();
    assert!(all.len() >= 9);
    assert!(all.iter().any(|c| c["ant"] == "od1_canon_stress" && c["max_batch"] == 1));
}

#[test]
fn a_budget_is_explained_to_the_byte() {
    let batch = ["--batch", "16"];
    let explained = json(&[&["explain"], &SMALL[..], &batch].concat());
    let peak = explained["peak_allocated_bytes"].as_u64().unwrap();
    let at_peak = |entry: &&Value| {
        entry["phases"].as_array().unwrap().iter().any(|p| *p == explained["peak_phase"])
    };
    let entries = explained["entries"].as_array().unwrap();
    let sum: u64 = entries.iter().filter(at_peak).map(|e| e["bytes"].as_u64().unwrap()).sum();
    assert_eq!(sum, peak);
    assert_eq!(entries[0]["formula"], "4 T B R D");
    let elasticity = |knob: &str| explained["elasticities"][knob].as_f64().unwrap();
    assert!((elasticity("batch") - 1.0).abs() < 0.01);
    // The ring state is fp32 in every mode.
    assert!(elasticity("precision").abs() < 0.01);
}

#[test]
fn the_breakdown_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let svg = dir.path().join("peak.svg");
    let path = svg.to_str().unwrap();
    reply(&[&["explain"], &REAL[..], &["--svg", path]].concat()).unwrap();
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("ring tape: "));
}
