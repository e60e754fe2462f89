//! What an H100 left in `docs/results/h100`, again without one: to the byte.

use std::fs;
use std::path::{Path, PathBuf};

use vram_artifacts::metrics::Metrics;
use vram_artifacts::run_record::read;

use crate::machine::{Machine, SMALL, TINY, VRAM};

/// A step of a pool's reserved bytes.
const GRANULE: u64 = 32 << 20;

const ROWS: [&str; 8] = ["DP1", "DP2", "DP3", "DP4", "DP5", "DP6", "DP8", "DP9"];

fn results(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results/h100").join(name)
}

/// Sweeps these rows on a virtual card and gives each run's metrics with those that are recorded.
fn swept(sweep: &str, rows: &[String]) -> Vec<(String, Metrics, Metrics)> {
    let machine = Machine::new();
    let out = machine.path("out");
    let arguments = ["sweep", "--device", "cuda", "--sweep", sweep, "--only", &rows.join(",")];
    let (run, said) =
        machine.run(VRAM, &[&arguments[..], &["--out", out.to_str().unwrap()]].concat());
    assert_eq!(run.ending.code(), Some(0), "{said}");
    let runs = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let runs = runs.filter(|path| path.is_dir()).map(|dir| {
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let recorded = read(&results(sweep).join(&name)).unwrap().metrics;
        (name, read(&dir).unwrap().metrics, recorded)
    });
    let runs: Vec<_> = runs.collect();
    assert_eq!(runs.len(), rows.len(), "{said}");
    runs
}

/// Both peaks, every mark's allocated and reserved, and the granule.
#[test]
fn all_eight_fused_rows_are_the_cards() {
    for (name, counted, recorded) in swept("vra34", &ROWS.map(str::to_owned)) {
        let memory = |m: &Metrics| {
            let peaks = (m.peak_vram_allocated_bytes, m.peak_vram_reserved_bytes);
            (peaks, m.phase_marks.clone(), m.pool_granule_bytes)
        };
        assert_eq!(recorded.phase_marks.len(), 6, "{name}");
        assert_eq!(memory(&counted), memory(&recorded), "{name}");
    }
}

/// Allocated and reserved of candle's 1.4 million requests.
#[test]
fn all_eight_plain_rows_ask_for_what_the_cards_did() {
    for (name, counted, recorded) in swept("steps", &ROWS.map(|row| format!("{row}_plain"))) {
        let allocated = |m: &Metrics| {
            let marks: Vec<_> =
                m.phase_marks.iter().map(|mark| (mark.phase, mark.allocated_bytes)).collect();
            (m.peak_vram_allocated_bytes, marks)
        };
        assert_eq!(recorded.phase_marks.len(), 6, "{name}");
        assert_eq!(allocated(&counted), allocated(&recorded), "{name}");
        let reserved = |m: &Metrics| m.peak_vram_reserved_bytes;
        assert_eq!(reserved(&counted), reserved(&recorded), "{name}");
    }
}

/// `docs/results/h100/README.md`: the largest batch within the guard, and the next one.
#[test]
fn the_largest_batches_are_the_cards() {
    let machine = Machine::new();
    let out = machine.path("out");
    let (run, said) = machine.run(
        VRAM,
        &[
            "sweep",
            "--device",
            "cuda",
            "--find-max",
            "--only",
            "DP1,DP8,DP6",
            "--out",
            out.to_str().unwrap(),
        ],
    );
    assert_eq!(run.ending.code(), Some(0), "{said}");
    // In granules of 32 MiB; the last one ran out of memory.
    for (run, granules) in [
        ("DP1-B144_smallxreal_B144", Some(2325_u64)),
        ("DP1-B145_smallxreal_B145", Some(2341)),
        ("DP8-B16_realxreal_B16", Some(2318)),
        ("DP8-B17_realxreal_B17", Some(2462)),
        ("DP6-B6_stressxreal_B6", Some(2317)),
        ("DP6-B7_stressxreal_B7", None),
    ] {
        let metrics = read(&out.join(run)).unwrap().metrics;
        assert_eq!(metrics.had_oom, granules.is_none(), "{run}");
        if let Some(granules) = granules {
            assert_eq!(metrics.peak_vram_reserved_bytes, Some(granules * GRANULE), "{run}");
        }
    }
    let runs = fs::read_dir(&out).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(runs.count(), 6, "two probes each: {said}");
}

/// The sources of this project's kernels.
fn own_sources() -> String {
    let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workload/src/ops");
    let files = fs::read_dir(ops).unwrap().map(|entry| entry.unwrap().path());
    let cuda = files.filter(|path| path.extension().is_some_and(|e| e == "cu" || e == "cuh"));
    cuda.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// candle's kernels are PTX modules that take seconds to compile: the fused step needs none.
#[test]
fn the_fused_step_loads_no_module_of_candles() {
    let sources = own_sources();
    // `gru_forward_fp16` is one of `FOR_WEIGHTS(gru_forward, ...)`.
    let stem = |kernel: &str| kernel.rsplit_once('_').map_or(kernel, |(stem, _)| stem).to_owned();
    let is_ours = |kernel: &str| {
        let one = stem(kernel);
        let of = |name: &str, stem: &str| sources.contains(&format!("{name}({stem},"));
        sources.contains(&format!("{kernel}(const"))
            || ["FOR_WEIGHTS", "FOR_POINTERS", "FOR_HALVES"].iter().any(|name| of(name, &one))
            || of("FOR_HALVES_AND_POINTERS", &stem(&one))
    };
    let machine = Machine::new();
    let kernels = |step: &str| {
        let arguments = [&SMALL[..], &["--batch", "2", "--step", step]].concat();
        let (run, _) = machine.probe(step, &arguments);
        run.recording.processes[0].kernels.clone()
    };
    let fused = kernels("fused");
    assert!(fused.len() > 20, "{fused:?}");
    let foreign: Vec<&String> = fused.iter().filter(|kernel| !is_ours(kernel)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    // That candle's would be seen.
    let plain = kernels("plain");
    assert!(plain.iter().any(|kernel| kernel == "affine_f32") && !is_ours("affine_f32"));
}

/// What is alive after one step is alive after many, and nothing is left at the end.
#[test]
fn nothing_alive_grows_from_step_to_step() {
    let machine = Machine::new();
    for step in ["fused", "plain"] {
        let of = |steps: &str| {
            let arguments = ["--step", step, "--measure-steps", steps, "--batch", "3"];
            let out = format!("{step}{steps}");
            let (run, record) = machine.probe(&out, &[&TINY[..], &arguments].concat());
            assert_eq!(run.recording.processes[0].leaked, 0, "{step}, {steps}");
            let alive: Vec<_> =
                record.metrics.phase_marks.iter().map(|m| (m.phase, m.allocated_bytes)).collect();
            assert_eq!(alive.len(), 6, "{step}");
            (alive, record.metrics.peak_vram_allocated_bytes.unwrap())
        };
        let one = of("1");
        assert_eq!(of("2"), one, "{step}");
        assert_eq!(of("40"), one, "{step}");
    }
}
