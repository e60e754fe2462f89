//! Runs from any artifacts, and what a fit and a calibration do with their sizes and peaks.
//!
//! An input is the texts of `metrics.json`, `run_cmd.txt` and `env.json`, with a NUL byte between.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vram_artifacts::run_record::{RunRecord, from_texts};
use vram_fit::calibration::Calibration;
use vram_fit::fit::fit;
use vram_fit::model::{Model, Observation, Pooling, Reserve};
use vram_presets::library::workload_from_text;
use vram_source::text::Syntax;

macro_rules! real {
    ($($run:literal)*) => {
        [$(from_texts(
            Path::new($run),
            include_str!(concat!("../../crates/artifacts/tests/data/torch_h200/", $run, "/metrics.json")),
            include_str!(concat!("../../crates/artifacts/tests/data/torch_h200/", $run, "/run_cmd.txt")),
            include_str!(concat!("../../crates/artifacts/tests/data/torch_h200/", $run, "/env.json")),
        ).expect("a run of the repository")),*]
    };
}

/// Runs beside which the input's is fitted: alone it never gives a line of two points.
static OTHERS: LazyLock<[RunRecord; 3]> =
    LazyLock::new(|| real!["dp01_smallxreal_B16" "dp02_smallxreal_B32" "dp03_realxreal_B02"]);

fuzz_target!(|text: &str| {
    let mut texts = text.splitn(3, '\0');
    let mut next = || texts.next().unwrap_or_default();
    let (metrics, run_cmd, env) = (next(), next(), next());
    let dir = Path::new("run");
    if let Ok(record) = from_texts(dir, metrics, run_cmd, env) {
        study(record);
    } else if let Some([metrics, run_cmd, env]) = agreeing(metrics, run_cmd, env)
        && let Ok(record) = from_texts(dir, &metrics, &run_cmd, &env)
    {
        study(record);
    }
});

/// The artifacts, made to agree on the workload of `run_cmd.txt`. No mutation finds the hash of
/// other sizes, nor changes them in three files alike: without it only the seeds' would ever be
/// fitted.
fn agreeing(metrics: &str, run_cmd: &str, env: &str) -> Option<[String; 3]> {
    let mut metrics: Value = serde_json::from_str(metrics).ok()?;
    let mut run_cmd: Value = serde_json::from_str(run_cmd).ok()?;
    let mut env: Value = serde_json::from_str(env).ok()?;
    let resolved = run_cmd.get("resolved_spec")?.clone();
    let spec = workload_from_text(&resolved.to_string(), Syntax::Json).ok()?;
    let amp = metrics.get("amp")? == 1;
    let probe_id = spec.probe_id(metrics.get("out_dim")?.as_u64()?, amp);
    let set = |artifact: &mut Value, pairs: &[(&str, Value)]| {
        let fields = artifact.as_object_mut()?;
        fields.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        Some(())
    };
    let ids: [(&str, Value); 2] =
        [("workload_id", spec.workload_id().into()), ("probe_id", probe_id.into())];
    let precision = Value::from(spec.ant.precision.name());
    let mode = [("precision", precision), ("amp", u8::from(amp).into())];
    let argv = ["vram", "probe", "--ant", "small", "--colony", "real"];
    set(&mut metrics, &ids)?;
    set(&mut metrics, &mode)?;
    set(
        &mut metrics,
        &[
            ("batch_size", spec.colony.batch_size.into()),
            ("seq_len", spec.colony.seq_len.into()),
            ("synth_len", spec.colony.synth_len.into()),
        ],
    )?;
    set(&mut run_cmd, &ids)?;
    set(&mut run_cmd, &[("canonical_spec", resolved), ("argv", argv.to_vec().into())])?;
    set(&mut env, &mode)?;
    set(&mut env, &[("total_vram_bytes", Value::Null)])?;
    Some([metrics.to_string(), run_cmd.to_string(), env.to_string()])
}

/// A run as an observation of the published model, where it has peaks and its ring term a size.
fn observation(run: &RunRecord) -> Option<Observation> {
    let (ant, m) = (&run.spec.ant, &run.metrics);
    Some(Observation {
        id: run.id.clone(),
        tier: format!("{}x{} {}", ant.ring_len, ant.slot_dim, ant.precision),
        unit_bytes: ant.ring_len.checked_mul(ant.slot_dim)?,
        terms: vec![run.spec.ring_buf_bytes().ok()?],
        element_bytes: ant.precision.bytes_per_elem()?,
        allocated_bytes: m.peak_vram_allocated_bytes?,
        reserved_bytes: m.peak_vram_reserved_bytes?,
        granule_bytes: m.pool_granule_bytes,
    })
}

fn study(record: RunRecord) {
    let rows: Vec<Observation> = OTHERS.iter().chain([&record]).filter_map(observation).collect();
    for reserve in [Reserve::Overhead, Reserve::Granule] {
        let model = Model { terms: vec!["ring".to_owned()], pooling: Pooling::PerTier, reserve };
        let Ok(fitted) = fit(&model, &rows) else { continue };
        let context = record.metrics.context_bytes;
        let constants = Calibration::new(record.machine(), context, &fitted, |tier| {
            (tier.to_owned(), Default::default())
        });
        // Only a size beyond what TOML can hold keeps constants from being written.
        let Ok(written) = constants.to_toml() else { continue };
        let calibration = match Calibration::from_toml(&written) {
            Ok(calibration) => calibration,
            Err(error) => panic!("written and not read: {error}\n{written}"),
        };
        for (row, tier) in rows.iter().flat_map(|r| calibration.tiers.iter().map(move |t| (r, t))) {
            let _ = tier.predict(&row.terms);
        }
    }
}
