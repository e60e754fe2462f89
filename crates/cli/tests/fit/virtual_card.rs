//! Runs of a card that counts memory and computes nothing: real ones, changed into such.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{SMALL, change, copied, fit_json, mark_synthetic, vram};

/// Makes a run say that its card was virtual, and its steps without times, as a probe writes it there.
fn make_virtual(run: &Path) {
    mark_synthetic(run, "on a virtual card");
    change(&run.join("env.json"), |e| e["virtual_card"] = json!(true));
    change(&run.join("metrics.json"), |m| {
        let times = [
            "measure_wall_time_s",
            "median_step_time_s",
            "p95_step_time_s",
            "max_step_time_s",
            "step_times_s",
            "warmup_step_times_s",
            "phase_times_s",
            "throughput_samples_per_s",
            "throughput_tokens_per_s",
        ];
        times.iter().for_each(|key| m[key] = Value::Null);
    });
}

const REASON: &str = "not measured: it ran on a virtual card, which counts memory and computes \
                      nothing; measure it on a real one";

#[test]
fn a_run_of_a_virtual_card_is_not_fitted() {
    let dir = copied(&SMALL);
    make_virtual(&dir.path().join(SMALL[0]));
    // Its word alone, beside times that say nothing.
    let second = dir.path().join(SMALL[1]).join("env.json");
    change(&second, |e| e["virtual_card"] = json!(true));
    let fitted = fit_json(dir.path(), &[]);
    let ids: Vec<&Value> = fitted["rows"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
    assert_eq!(ids, [SMALL[2]]);
    // In the order in which they ran.
    let excluded = |id: &str| json!({ "id": id, "reason": REASON });
    assert_eq!(fitted["excluded"], json!([excluded(SMALL[0]), excluded(SMALL[1])]));
    // Written out, a false is what a missing key is.
    change(&second, |e| e["virtual_card"] = json!(false));
    assert_eq!(fit_json(dir.path(), &[])["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn a_report_tells_of_a_virtual_card_that_it_was_one() {
    let dir = copied(&SMALL);
    let report = |code| {
        vram(&["report", dir.path().to_str().unwrap()]).assert().code(code);
        fs::read_to_string(dir.path().join("report.md")).unwrap()
    };
    make_virtual(&dir.path().join(SMALL[0]));
    let some = report(0);
    // Left out, with its command, and in no table.
    assert!(some.contains(&format!("\n- {}: {REASON}\n", SMALL[0])), "{some}");
    assert!(some.contains(&format!("--row-id {}", SMALL[0])), "{some}");
    assert!(!some.contains(&format!("| {}", SMALL[0])), "{some}");
    assert!(!some.contains("virtual card: it computes nothing"), "{some}");
    assert!(some.contains(&format!("| {}", SMALL[1])), "{some}");

    SMALL[1..].iter().for_each(|row| make_virtual(&dir.path().join(row)));
    fs::remove_file(dir.path().join("calibration.toml")).unwrap();
    let none = report(1);
    assert!(
        none.contains("- virtual card: it computes nothing: no row is a measurement"),
        "{none}"
    );
    assert_eq!(none.matches(REASON).count(), 3, "{none}");
    assert!(!dir.path().join("calibration.toml").exists());
}

/// A run of this project on an H100, plain and fused, copied.
fn steps(rows: &[&str]) -> tempfile::TempDir {
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results/h100/steps");
    let dir = tempfile::tempdir().unwrap();
    rows.iter().for_each(|row| copy_run(&steps.join(row), &dir.path().join(row)));
    dir
}

fn copy_run(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in ["metrics.json", "run_cmd.txt", "env.json"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// What was counted of a plain step before it was measured is its prediction, and no run of its own.
#[test]
fn a_plain_row_is_predicted_by_what_was_counted_of_it() {
    let (fused, plain) = ("DP6_stressxreal_B1", "DP6_plain_stressxreal_B1");
    let dir = steps(&[fused, plain]);
    let report = || {
        vram(&["report", dir.path().to_str().unwrap()]).assert().code(0);
        fs::read_to_string(dir.path().join("report.md")).unwrap()
    };
    let cells = |report: &str| -> Vec<String> {
        let section = report.split("\n## Fused and plain\n").nth(1).unwrap();
        let line = section.lines().find(|line| line.starts_with("| DP6 |")).unwrap();
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    // The fused step has its ledger; of the plain one nothing is known.
    assert_eq!(cells(&report())[8..12], ["12.156", "12.156", "-", "12.375"]);

    let counted = dir.path().join(format!("{plain}.counted"));
    copy_run(&dir.path().join(plain), &counted);
    make_virtual(&counted);
    // Not as measured, so that it is seen which is shown.
    let bytes = json!(397_u64 << 25);
    change(&counted.join("metrics.json"), |m| m["peak_vram_reserved_bytes"] = bytes);
    let with = report();
    assert_eq!(cells(&with)[8..12], ["12.156", "12.156", "12.406", "12.375"]);
    assert!(!with.contains(REASON), "{with}");
    assert_eq!(with.matches("--row-id DP6_plain").count(), 1, "{with}");
    // The only row of its tier: no fit predicts it.
    let how = "predicted by a dry run on a virtual card, not by a fit";
    assert!(with.contains(how), "{with}");

    // Of other steps it is another's, and listed.
    change(&counted.join("metrics.json"), |m| m["warmup_steps"] = json!(1));
    change(&counted.join("run_cmd.txt"), |r| {
        let words = r["argv"].as_array_mut().unwrap();
        let at = words.iter().position(|word| word == "--warmup-steps").unwrap();
        words[at + 1] = json!("1");
    });
    let other = report();
    assert_eq!(cells(&other)[10], "-");
    assert!(other.contains(REASON), "{other}");
}
