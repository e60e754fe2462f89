//! What is predicted before anything runs, against what was measured and published.

use proptest::prelude::*;
use serde_json::{Value, json};
use vram_cli::cli::{Cli, run};
use vram_console::exit::Exit;

fn reply(words: &[&str]) -> miette::Result<String> {
    let args = <Cli as clap::Parser>::parse_from(["vram"].iter().chain(words));
    let reply = run(&args)?;
    assert_eq!(reply.exit, Exit::Done);
    Ok(reply.text)
}

fn answer(words: &[&str]) -> Value {
    serde_json::from_str(&reply(&[words, &["--format", "json"]].concat()).unwrap()).unwrap()
}

const SMALL: [&str; 6] =
    ["--ant", "od1_canon_small", "--colony", "od1_canon_real", "--precision", "fp16"];
const REAL: [&str; 6] =
    ["--ant", "od1_canon_real", "--colony", "od1_canon_real", "--precision", "fp16"];
const STRESS: [&str; 6] =
    ["--ant", "od1_canon_stress", "--colony", "od1_canon_real", "--precision", "fp16"];

fn predict(workload: &[&str], more: &[&str]) -> Value {
    answer(&[&["predict"], workload, more].concat())
}

/// Peaks as they were measured on the H200 (docs/results/h200) with the step from before it was a
/// candle model: allocated within 0.05 %, reserved to the granule.
#[test]
fn measured_peaks_are_predicted_without_a_card() {
    for (workload, batch, allocated, reserved) in [
        (SMALL, "16", 8_673_822_890f64, 8_690_597_888u64),
        (REAL, "1", 4_901_358_178.0, 4_932_501_504),
        (STRESS, "1", 13_021_532_386.0, 13_052_674_048),
    ] {
        let budget = predict(&workload, &["--batch", batch]);
        let off = budget["allocated_bytes"].as_f64().unwrap() / allocated - 1.0;
        assert!(off.abs() <= 0.0005, "{batch}: {off}");
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
        let capacity = answer(&[&["capacity"], &workload[..], &card].concat());
        assert_eq!(capacity["max_batch"], most);
        assert_eq!(capacity["limit_bytes"], (17_170_956_288f64 * 0.92) as u64);
        assert!(capacity["safe_batch"].as_u64().unwrap() <= most);
        let next = capacity["next_reserved_bytes"].as_u64();
        assert!(next > capacity["limit_bytes"].as_u64());
        // The published constants hold no context.
        assert_eq!(capacity["limited_by"], "guard");
        assert_eq!(capacity["context_assumed"], true);
        assert_eq!(capacity["context_bytes"], 618_659_840);
    }
}

/// The boundaries that were measured on the cards (docs/results): the guard is the lower bound there.
#[test]
fn measured_boundaries_are_what_the_guard_allows() {
    for (card, boundaries) in [
        ("150109880320", [254, 28, 10]),
        ("85017493504", [144, 16, 6]),
        ("17170956288", [29, 3, 1]),
    ] {
        for (workload, most) in [SMALL, REAL, STRESS].into_iter().zip(boundaries) {
            let capacity = answer(&[&["capacity"], &workload[..], &["--vram", card]].concat());
            assert_eq!(capacity["max_batch"], most, "{card}");
            assert_eq!(capacity["limited_by"], "guard");
        }
    }
}

/// On 4 GiB the guard would allow 7, which take 4.072 GiB with their context.
#[test]
fn a_context_is_part_of_the_card() {
    let small = answer(&[&["capacity"], &SMALL[..], &["--vram", "4GiB"]].concat());
    assert_eq!((&small["max_batch"], &small["limited_by"]), (&json!(6), &json!("device")));
    assert_eq!(small["guard_limit_bytes"], ((4u64 << 30) as f64 * 0.92) as u64);
    assert_eq!(small["device_limit_bytes"], (4u64 << 30) - 618_659_840);
    assert_eq!(small["context_assumed"], true);
    let on_the_card = |batch: &str| predict(&SMALL, &["--batch", batch])["card_bytes"].as_u64();
    assert!(on_the_card("6") <= Some(4 << 30) && on_the_card("7") > Some(4 << 30));

    // A calibration that is named is the card's own.
    let named = ["--vram", "4GiB", "--calibration", "h200"];
    let named = answer(&[&["capacity"], &SMALL[..], &named].concat());
    assert_eq!((&named["max_batch"], &named["context_assumed"]), (&json!(6), &json!(false)));

    let text = reply(&[&["capacity"], &SMALL[..], &["--vram", "4GiB"]].concat()).unwrap();
    for said in [
        "maximum batch  6: ",
        "limited by     the device: 4.000 GiB, less an assumed context of 0.576 GiB\n",
        "context        0.576 GiB (618659840 bytes), assumed: the largest of the calibrations\n",
    ] {
        assert!(text.contains(said), "{text}");
    }
    let all = reply(&["capacity", "--all", "--vram", "4GiB"]).unwrap();
    assert!(all.contains("limited by     the device: 4.000 GiB, less an assumed context"), "{all}");
}

#[test]
fn a_safe_start_never_exceeds_the_maximum() {
    let half = ["capacity", "--guard", "0.5", "--vram", "16GiB"];
    let one = answer(&[&half[..], &SMALL].concat());
    assert!(one["safe_batch"].as_u64() <= one["max_batch"].as_u64(), "{one}");
    let all = answer(&["capacity", "--all", "--guard", "0.5", "--vram", "16GiB"]);
    for one in all.as_array().unwrap() {
        assert!(one["safe_batch"].as_u64() <= one["max_batch"].as_u64(), "{one}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the step and the card.
    #[test]
    fn the_maximum_is_within_both_bounds_and_the_next_is_beyond_the_one_that_is_named(
        (ring_len, slot_dim) in (1u64..20_000, 1u64..1500),
        synth_len in 1u64..600,
        precision in prop::sample::select(vec!["fp32", "fp16", "bf16"]),
        card in prop_oneof![1u64..8 << 30, 1u64 << 30..300 << 30],
        (guard, safe_ratio) in (0.01f64..=1.0, 0.01f64..=1.0),
        calibration in prop::sample::select(vec![None, Some("h200")]),
    ) {
        let ant = json!({
            "ring_len": ring_len, "slot_dim": slot_dim, "ptr_dtype": "fp64", "precision": precision,
        })
        .to_string();
        let colony = json!({
            "seq_len": 1, "synth_len": synth_len, "batch_size": 1, "ptr_update_every": 1,
            "state_loop_samples": 0,
        })
        .to_string();
        let (vram, guarded, safe) = (card.to_string(), guard.to_string(), safe_ratio.to_string());
        let workload = ["--ant", &ant, "--colony", &colony];
        let options = ["--vram", &vram, "--guard", &guarded, "--safe-ratio", &safe];
        let named: Vec<&str> = calibration.iter().flat_map(|name| ["--calibration", name]).collect();
        let found = answer(&[&["capacity"], &workload[..], &options, &named].concat());
        let bytes = |key: &str| found[key].as_u64().unwrap();

        let (most, context) = (bytes("max_batch"), bytes("context_bytes"));
        prop_assert!(context > 0);
        prop_assert_eq!(found["context_assumed"].as_bool(), Some(calibration.is_none()));
        let budget = |batch: u64| predict(&workload, &["--batch", &batch.to_string()]);
        if most > 0 {
            let budget = budget(most);
            let reserved = budget["reserved_bytes"].as_u64().unwrap();
            prop_assert_eq!(reserved, bytes("reserved_bytes"));
            prop_assert!(reserved + context <= card);
            prop_assert!(reserved as f64 <= guard * card as f64);
        }
        let next = budget(most + 1)["reserved_bytes"].as_u64().unwrap();
        prop_assert_eq!(next, bytes("next_reserved_bytes"));
        match found["limited_by"].as_str().unwrap() {
            "guard" => prop_assert!(next as f64 > guard * card as f64),
            "device" => prop_assert!(next + context > card),
            other => prop_assert!(false, "{}", other),
        }
        prop_assert!(bytes("safe_batch") <= most);
        if bytes("safe_batch") < most {
            let above = budget(bytes("safe_batch") + 1)["reserved_bytes"].as_u64().unwrap();
            prop_assert!(above as f64 > safe_ratio * card as f64);
        }
    }
}

#[test]
fn a_card_that_holds_no_sample_says_so() {
    let capacity = ["capacity", "--vram", "4GiB"];
    let text = reply(&[&capacity[..], &STRESS].concat()).unwrap();
    assert!(text.starts_with("maximum batch  0: one sample reserves 12.156 GiB"), "{text}");
    let all = answer(&["capacity", "--all", "--vram", "16GiB"]);
    let all = all.as_array().unwrap();
    assert!(all.len() >= 9);
    assert!(all.iter().any(|c| c["ant"] == "od1_canon_stress" && c["max_batch"] == 1));
}

#[test]
fn a_budget_is_explained_to_the_byte() {
    let batch = ["--batch", "16"];
    let explained = answer(&[&["explain"], &SMALL[..], &batch].concat());
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
