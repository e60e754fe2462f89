//! Runs that nobody measured, for what a report shows of many tiers and of odd names.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vram_presets::library::workload_from_text;
use vram_source::text::Syntax;

/// Writes a run for each id, ring length and batch, changed from a recorded one: as many bytes as the ring
/// is larger, and a little that differs from row to row.
pub fn write(dir: &Path, rows: &[(String, u64, u64)]) {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/results/h200/vra34/DP1_smallxreal_B16");
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(recorded.join(name)).unwrap()).unwrap()
    };
    let (metrics, run_cmd, env) = (read("metrics.json"), read("run_cmd.txt"), read("env.json"));
    for (i, (id, ring_len, batch)) in rows.iter().enumerate() {
        let (mut metrics, mut run_cmd) = (metrics.clone(), run_cmd.clone());
        let mut spec = run_cmd["resolved_spec"].clone();
        spec["ant_spec"]["ring_len"] = json!(ring_len);
        spec["colony_spec"]["batch_size"] = json!(batch);
        let resolved = workload_from_text(&spec.to_string(), Syntax::Json).unwrap();
        let ids = (json!(resolved.workload_id()), json!(resolved.probe_id(1, true)));
        for part in [&mut metrics, &mut run_cmd] {
            (part["workload_id"], part["probe_id"]) = ids.clone();
        }
        let larger = |bytes: &Value| {
            let bytes = bytes.as_u64().unwrap() * ring_len * batch / (2048 * 16);
            json!(bytes + bytes / 1000 * (i as u64 % 7) + (1 << 25))
        };
        metrics["batch_size"] = json!(batch);
        for peak in ["peak_vram_allocated_bytes", "peak_vram_reserved_bytes"] {
            metrics[peak] = larger(&metrics[peak]);
        }
        for mark in metrics["phase_marks"].as_array_mut().unwrap() {
            for bytes in ["allocated_bytes", "reserved_bytes"] {
                mark[bytes] = larger(&mark[bytes]);
            }
        }
        run_cmd["canonical_spec"] = spec.clone();
        run_cmd["resolved_spec"] = spec;
        run_cmd["row_id"] = json!(id);
        run_cmd["argv"] = json!(["vram", "probe", "--ant", "{}", "--colony", "od1_canon_real"]);
        run_cmd["notes"] = json!(["synthetic: nobody measured this"]);
        let run = dir.join(format!("{i:04}"));
        fs::create_dir_all(&run).unwrap();
        for (name, part) in
            [("metrics.json", &metrics), ("run_cmd.txt", &run_cmd), ("env.json", &env)]
        {
            fs::write(run.join(name), part.to_string()).unwrap();
        }
    }
}
