//! Runs of several machines, fitted together: each card model by itself, and each row says whose it is.

use serde_json::{Value, json};

use crate::support::{change, copied, mark_synthetic, stdout, torch};

const ROWS: [&str; 4] =
    ["dp01_smallxreal_B16", "dp02_smallxreal_B32", "dp03_realxreal_B02", "dp04_realxreal_B03"];

/// The rows as another card of another model would have left them, with a tenth more reserved.
fn another_card() -> tempfile::TempDir {
    let dir = copied(&ROWS);
    for row in ROWS.map(|row| dir.path().join(row)) {
        mark_synthetic(&row, "run on another card");
        change(&row.join("env.json"), |env| {
            env["gpu_name"] = json!("NVIDIA H100");
            env["gpu_uuid"] = json!("GPU-2");
        });
        change(&row.join("metrics.json"), |m| {
            for peak in ["peak_vram_reserved_bytes", "peak_vram_allocated_bytes"] {
                m[peak] = json!(m[peak].as_u64().unwrap() / 10 * 11);
            }
        });
    }
    dir
}

fn fit(dirs: &[&str], terms: &str) -> Value {
    let command = [&["fit", "--format", "json", "--terms", terms], dirs].concat();
    serde_json::from_str(&stdout(&command)).unwrap()
}

/// The constants of a card model are those of its runs alone, whatever they are fitted beside.
#[test]
fn card_models_are_kept_apart() {
    let (one, other) = (torch(), another_card());
    let dirs = [one.to_str().unwrap(), other.path().to_str().unwrap()];
    for terms in ["ring", "ring,state,token"] {
        let both = fit(&dirs, terms);
        let alone = dirs.map(|dir| fit(&[dir], terms));
        let tiers = |fit: &Value, machine: &str| -> Vec<Value> {
            let all = fit["tiers"].as_array().unwrap().iter();
            let own = all.filter(|tier| tier["machine"] == machine).cloned();
            // Their names say which card, where that has to be told.
            own.map(|mut tier| {
                tier["name"].take();
                tier["borrowed_from"].take();
                tier
            })
            .collect()
        };
        for (alone, machine) in alone.iter().zip(["NVIDIA H200", "NVIDIA H100"]) {
            assert_eq!(tiers(&both, machine), tiers(alone, machine), "{terms}");
            assert!(!tiers(alone, machine).is_empty());
        }
        let rows = both["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 12);
        for row in rows {
            let at = usize::from(row["machine"] != "NVIDIA H200");
            assert_eq!(row["dir"], dirs[at], "{row}");
            assert_eq!(row["gpu_uuid"] == "GPU-2", at == 1);
        }
    }
}

#[test]
fn a_table_of_several_machines_says_whose_a_row_is() {
    let (one, other) = (torch(), another_card());
    let dirs = [one.to_str().unwrap(), other.path().to_str().unwrap()];
    let table = stdout(&[&["fit"][..], &dirs].concat());
    let line = |device: &str, dir: &str| {
        let mut lines = table.lines().filter(|line| line.starts_with("│ dp01_smallxreal_B16"));
        lines.any(|line| line.contains(device) && line.contains(dir))
    };
    assert!(line("NVIDIA H200", dirs[0]) && line("NVIDIA H100", dirs[1]), "{table}");
    let csv = stdout(&[&["fit", "--format", "csv"][..], &dirs].concat());
    assert!(csv.lines().next().unwrap().ends_with(",machine,gpu_uuid,dir"), "{csv}");
    assert!(csv.contains(&format!(",NVIDIA H100,GPU-2,{}\n", dirs[1])), "{csv}");
    // One machine and one directory need not be told.
    assert!(!stdout(&["fit", dirs[0]]).contains("device"), "{table}");
}
