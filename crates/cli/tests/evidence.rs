//! What a fit may be made from and what may come of it: a run counts once, nothing is fitted to
//! nothing, and no constant is below zero.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};
use vram_fit::calibration::Calibration;

const SMALL: [&str; 3] = ["dp01_smallxreal_B16", "dp02_smallxreal_B32", "dp09_smallxreal_B24"];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Copies a run, under whatever name.
fn copy(row: &str, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in ["metrics.json", "run_cmd.txt", "env.json"] {
        fs::copy(here("../artifacts/tests/data/torch_h200").join(row).join(name), to.join(name))
            .unwrap();
    }
}

fn copied(rows: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    rows.iter().for_each(|row| copy(row, &dir.path().join(row)));
    dir
}

fn change(run: &Path, key: &str, value: Value) {
    let path = run.join("metrics.json");
    let mut metrics: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    metrics[key] = value;
    fs::write(path, metrics.to_string()).unwrap();
}

/// Exit code, standard output and standard error, which is one line.
fn vram(args: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("vram").unwrap().args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let errors = text(output.stderr).replace(['│', '×', '╰', '─', '▶'], "");
    let errors = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code().unwrap(), text(output.stdout), errors)
}

fn points(dirs: &[&Path]) -> (u64, String) {
    let dirs = dirs.iter().map(|dir| dir.to_str().unwrap());
    let args: Vec<&str> = ["fit", "--format", "json"].into_iter().chain(dirs).collect();
    let (code, out, errors) = vram(&args);
    assert_eq!(code, 0, "{errors}");
    let fit: Value = serde_json::from_str(&out).unwrap();
    (fit["tiers"][0]["points"].as_u64().unwrap(), errors)
}

#[test]
fn one_run_counts_once() {
    let dir = copied(&SMALL);
    let (alone, quiet) = points(&[dir.path()]);
    assert_eq!((alone, quiet.as_str()), (3, ""));
    let first = dir.path().join(SMALL[0]);
    let again = tempfile::tempdir().unwrap();
    let copy_of = again.path().join("copy");
    copy(SMALL[0], &copy_of);
    for twice in [dir.path(), &first, &copy_of, again.path()] {
        let (points, said) = points(&[dir.path(), twice]);
        assert_eq!(points, 3, "{said}");
        let named = format!("holds the same run as {}: it counts once", first.display());
        assert!(said.contains(&named), "{said}");
        assert!(said.contains(twice.to_str().unwrap()), "{said}");
    }
    #[cfg(unix)]
    {
        let link = again.path().join("link");
        fs::remove_dir_all(&copy_of).unwrap();
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let (points, said) = points(&[dir.path(), again.path()]);
        assert_eq!(points, 3);
        assert!(said.contains(link.to_str().unwrap()), "{said}");
    }
    // Measured again: every byte is the same, and the steps took another time.
    let repeated = dir.path().join("again");
    copy(SMALL[0], &repeated);
    change(&repeated, "median_step_time_s", json!(2.253_402_6));
    assert_eq!(points(&[dir.path()]), (4, String::new()));
}

/// HFP32 of the held-out rows is the only one in fp32: its slope is another tier's, per element.
/// What 6 samples need was predicted to the byte by the ledger, and measured nowhere.
#[test]
fn a_tier_borrows_a_slope_per_element() {
    let out = tempfile::tempdir().unwrap();
    let held_out = here("../../docs/results/h200/held_out");
    let (code, _, errors) =
        vram(&["report", held_out.to_str().unwrap(), "--out-dir", out.path().to_str().unwrap()]);
    assert_eq!(code, 0, "{errors}");
    let said =
        "2048x256 fp16 amp1 cuda (NVIDIA H200): the base would be -16477311 bytes, below zero";
    assert!(errors.contains(said), "{errors}");
    // What was asked for was a fit of every tier.
    let (code, table, errors) = vram(&["fit", held_out.to_str().unwrap()]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains(said) && table.contains("below zero"), "{errors}\n{table}");
    let path = out.path().join("calibration.toml");
    let calibration = Calibration::from_toml(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(calibration.tiers.iter().all(|t| !t.name.starts_with("2048x256 fp16")));
    let workload = [
        "--ant",
        "od1_canon_real",
        "--colony",
        "od1_canon_real",
        "--precision",
        "fp32",
        "--calibration",
    ];
    let predicted = |calibration: &str| {
        let args =
            [&["predict", "--batch", "6", "--format", "json"], &workload[..], &[calibration]];
        let (code, out, errors) = vram(&args.concat());
        assert_eq!(code, 0, "{errors}");
        let budget: Value = serde_json::from_str(&out).unwrap();
        budget["reserved_bytes"].as_f64().unwrap()
    };
    let ratio = predicted(path.to_str().unwrap()) / predicted("h200");
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
    let args = [&["capacity", "--vram", "80GiB"], &workload[..], &[path.to_str().unwrap()]];
    let (code, table, errors) = vram(&args.concat());
    assert_eq!(code, 0, "{errors}");
    assert!(!table.contains(" 0 "), "{table}");
}

/// Twice the ring takes 16.6e9 bytes more from 1e9 on: nothing would take 15.6e9 less than nothing.
/// Then twice the ring takes a million bytes less.
#[test]
fn constants_below_zero_are_an_error() {
    let dir = copied(&SMALL[..2]);
    let path = dir.path().join("mine.toml");
    let args = ["fit", dir.path().to_str().unwrap(), "--out", path.to_str().unwrap()];
    let peak = |row: &str, bytes: u64| {
        change(&dir.path().join(row), "peak_vram_allocated_bytes", json!(bytes));
    };
    peak(SMALL[0], 1_000_000_000);
    let (code, table, errors) = vram(&args);
    assert_eq!(code, 1, "{errors}");
    assert!(
        errors.contains("tier small: the base would be -15604902400 bytes, below zero"),
        "{errors}"
    );
    assert!(table.contains("the base would be -15604902400 bytes"), "{table}");
    peak(SMALL[0], 8_800_000_000);
    peak(SMALL[1], 8_799_000_000);
    let (code, _, errors) = vram(&args);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("tier small: k_ring would be -0.0002, below zero"), "{errors}");
    assert!(!path.exists());
}

#[test]
fn a_calibration_below_zero_is_refused_by_every_reader() {
    let published = here("../../presets/calibrations/rtx4070tisuper_published.toml");
    let text = fs::read_to_string(published).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    let text = text.replace("base_bytes = 31457280", "base_bytes = -42783809815");
    fs::write(&path, text.replacen("overhead_bytes = ", "overhead_bytes = -", 1)).unwrap();
    let path = path.to_str().unwrap();
    let workload =
        ["--ant", "od1_canon_small", "--colony", "od1_canon_real", "--precision", "fp16"];
    let with = |more: &[&'static str]| [more, &workload, &["--calibration", path]].concat();
    for args in [
        with(&["predict", "--batch", "16"]),
        with(&["capacity", "--vram", "16GiB"]),
        vec!["presets", "check", path],
    ] {
        let (code, _, errors) = vram(&args);
        assert_eq!(code, 2, "{args:?}: {errors}");
        assert!(errors.contains("base_bytes is -42783809815, below zero"), "{args:?}: {errors}");
        assert!(errors.contains("overhead_bytes is -"), "{args:?}: {errors}");
    }
}

#[test]
fn nothing_is_fitted_to_nothing() {
    let dir = copied(&SMALL);
    for row in SMALL {
        change(&dir.path().join(row), "fail_reasons", json!(["oom"]));
    }
    let (runs, calibration) = (dir.path().to_str().unwrap(), dir.path().join("calibration.toml"));
    let (code, table, errors) = vram(&["fit", runs, "--out", calibration.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(errors.contains("every run is left out (3 of them)"), "{errors}");
    assert!(table.contains("excluded dp01_smallxreal_B16: failed: oom"), "{table}");
    let (code, listed, _) = vram(&["report", runs]);
    assert_eq!((code, listed.lines().count()), (1, 4));
    assert!(fs::read_to_string(dir.path().join("report.md")).unwrap().contains("failed: oom"));
    assert!(!calibration.exists());
}

/// Its sizes and peaks are facts; only what it cannot say is not written.
#[test]
fn a_single_run_is_a_report_without_a_calibration() {
    let dir = copied(&SMALL[..1]);
    let (runs, calibration) = (dir.path().to_str().unwrap(), dir.path().join("calibration.toml"));
    let (code, _, errors) = vram(&["fit", runs, "--out", calibration.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(errors.contains("calibration.toml is not written: no tier has constants"), "{errors}");
    assert_eq!((vram(&["fit", runs]).0, vram(&["report", runs]).0), (0, 0));
    assert!(dir.path().join("report.md").exists() && !calibration.exists());
}
