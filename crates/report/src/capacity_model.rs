//! The capacity model of VRA-35: the file from which the original's pickers take a batch for a card.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vram_artifacts::run_record::RunRecord;
use vram_fit::fit::fit;
use vram_fit::model::{Model, Observation, Pooling, Reserve};
use vram_presets::name::short;

use crate::error::ReportError;
use crate::exclusion::{Exclusion, admit};
use crate::runs::Runs;

/// The format, which the file names.
pub const SCHEMA_VERSION: &str = "capacity_model_v1";

/// Part of a card within which a step is to start.
const SAFE_START_RATIO: f64 = 0.85;

/// The model of these runs: per combination of ant and colony a line of peak allocated over the batch, and
/// one overhead of reserved for all. Sizes in bytes. A combination of which one batch passed has no line.
///
/// A picker's largest batch is `max(1, (guard * total - overhead - base) / per_batch)` in whole numbers, and
/// `measured_max_batch` where there is no line.
///
/// # Errors
///
/// [`ReportError::NoPassingRun`], and [`ReportError::MixedTracks`] where runs differ in what one file is of.
pub fn capacity_model(runs: &Runs) -> Result<Value, ReportError> {
    let root = root(&runs.records);
    let of_file: BTreeSet<String> = runs.records.iter().map(track).collect();
    if of_file.len() > 1 {
        return Err(ReportError::MixedTracks { tracks: of_file.into_iter().collect() });
    }
    let (mut combos, mut overheads) = (BTreeMap::<String, Vec<Admitted<'_>>>::new(), Vec::new());
    let mut left_out = Vec::new();
    for run in &runs.records {
        let admitted = Admitted::new(run);
        if let Some((allocated, reserved)) = admitted.passed {
            overheads.push(reserved - allocated);
        } else if let Some(why) = &admitted.why {
            left_out.push(format!("{}: {why}", run.id));
        }
        combos.entry(run.spec.combo_key()).or_default().push(admitted);
    }
    let first = runs.records.iter().find(|run| Admitted::new(run).passed.is_some());
    let Some(first) = first else { return Err(ReportError::NoPassingRun) };
    let combos: Vec<Value> =
        combos.iter().map(|(key, runs)| combo(key, runs, &root)).collect::<Result<_, _>>()?;
    let (m, env) = (&first.metrics, &first.env);
    let tape = m.tape().map_or(String::new(), |tape| format!(" with the {tape} tape"));
    let mut notes = format!("vram fit: {} runs of the {} step{tape}", runs.records.len(), m.step());
    if !left_out.is_empty() {
        notes += &format!("; not among the passing runs: {}", left_out.join("; "));
    }
    Ok(json!({
        "schema_version": SCHEMA_VERSION,
        "guard_basis": "reserved",
        "guard_ratio": m.vram_guard_ratio,
        "safe_start_ratio": SAFE_START_RATIO,
        "measure_steps": m.measure_steps,
        "overhead_bytes": median(overheads),
        "track": { "out_dim": m.out_dim, "precision": m.precision, "amp": m.amp },
        "calibrated_on": {
            "gpu_name": env.gpu_name,
            "total_vram_bytes": m.total_vram_bytes.or(env.total_vram_bytes),
            "driver_version": env.driver_version,
            "torch_version": env.torch_version,
            "os": env.os,
        },
        "notes": notes,
        "runs_root": root.display().to_string(),
        "combos": combos,
    }))
}

/// What one file is of: a number format, a step, a card.
fn track(run: &RunRecord) -> String {
    let m = &run.metrics;
    let tape = m.tape().map_or(String::new(), |tape| format!(" with the {tape} tape"));
    format!(
        "{} amp {} out_dim {}, {} step{tape}, {} steps, on {}",
        m.precision,
        m.amp,
        m.out_dim,
        m.step(),
        m.measure_steps,
        run.machine()
    )
}

/// A run, and its peaks where they are a passing run's.
struct Admitted<'a> {
    run: &'a RunRecord,
    /// Peak allocated and reserved.
    passed: Option<(u64, u64)>,
    /// Why it is not fitted.
    why: Option<Exclusion>,
}

impl<'a> Admitted<'a> {
    fn new(run: &'a RunRecord) -> Self {
        let m = &run.metrics;
        let why = admit(run).err();
        let passed = match (m.stability_pass, &why) {
            // Another number of heads is a track of its own here, and no spot check.
            (true, None | Some(Exclusion::SpotCheck(_))) => {
                m.peak_vram_allocated_bytes.zip(m.peak_vram_reserved_bytes)
            }
            _ => None,
        };
        Self { run, passed, why }
    }

    fn point(&self, (alloc, reserved): (u64, u64), root: &Path) -> Value {
        let dir = self.run.dir.strip_prefix(root).unwrap_or(&self.run.dir);
        json!({
            "batch": self.run.metrics.batch_size,
            "alloc": alloc,
            "reserved": reserved,
            "run_dir": dir.display().to_string(),
        })
    }
}

fn combo(key: &str, runs: &[Admitted<'_>], root: &Path) -> Result<Value, ReportError> {
    let mut runs: Vec<&Admitted<'_>> = runs.iter().collect();
    runs.sort_by_key(|admitted| admitted.run.metrics.batch_size);
    let passed: Vec<_> = runs.iter().filter_map(|a| Some((*a, a.passed?))).collect();
    let batch = |admitted: &Admitted<'_>| admitted.run.metrics.batch_size;
    let most = passed.iter().map(|(admitted, _)| batch(admitted)).max();
    // The first that failed above all that passed; what failed below says nothing of a boundary.
    let failed = runs
        .iter()
        .find(|a| !a.run.metrics.stability_pass && most.is_none_or(|most| batch(a) > most));
    let line = line(&passed)?;
    let points: Vec<Value> =
        passed.iter().map(|(admitted, peaks)| admitted.point(*peaks, root)).collect();
    let run = runs[0].run;
    Ok(json!({
        "combo_name": format!("{}x{}", short(&run.ant), short(&run.colony)),
        "combo_key": key,
        "combo_spec_no_batch": run.spec.json_without_batch(),
        "ant_path": run.ant,
        "colony_path": run.colony,
        "base_alloc_bytes": line.map(|(base, _)| base),
        "per_batch_alloc_bytes": line.map(|(_, slope)| slope),
        "measured_max_batch": most,
        "boundary_fail_batch": failed.map(|admitted| batch(admitted)),
        "boundary_fail_reasons": failed.map_or(&[][..], |a| &a.run.metrics.fail_reasons),
        "fit_points": points,
        "pass_runs": points,
    }))
}

/// Base and bytes per sample of peak allocated by least squares; none of one batch, which has no slope, or
/// where one of them would be below zero.
fn line(passed: &[(&Admitted<'_>, (u64, u64))]) -> Result<Option<(i64, i64)>, ReportError> {
    let batches: BTreeSet<u64> = passed.iter().map(|(a, _)| a.run.metrics.batch_size).collect();
    if batches.len() < 2 {
        return Ok(None);
    }
    let observations: Vec<Observation> = passed
        .iter()
        .map(|(admitted, (allocated_bytes, reserved_bytes))| Observation {
            id: admitted.run.id.clone(),
            tier: String::new(),
            unit_bytes: 1,
            terms: vec![admitted.run.metrics.batch_size],
            element_bytes: 1,
            allocated_bytes: *allocated_bytes,
            reserved_bytes: *reserved_bytes,
            granule_bytes: None,
        })
        .collect();
    let model = Model {
        terms: vec!["batch".to_owned()],
        pooling: Pooling::PerTier,
        reserve: Reserve::Overhead,
    };
    let fitted = fit(&model, &observations)?;
    let whole = |bytes: f64| bytes.round() as i64;
    Ok(fitted
        .tiers
        .first()
        .and_then(|tier| Some((whole(tier.base.value?), whole(tier.coefficients.first()?.value?)))))
}

/// The middle one, or the mean of the middle two in whole bytes.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    let half = values.len() / 2;
    let upper = *values.get(half)?;
    match values.len() % 2 {
        1 => Some(upper),
        _ => Some(values[half - 1].midpoint(upper)),
    }
}

/// The directory that all runs lie in.
fn root(records: &[RunRecord]) -> PathBuf {
    let mut dirs = records.iter().filter_map(|run| run.dir.parent());
    let first = dirs.next().map(Path::to_owned).unwrap_or_default();
    dirs.fold(first, |root, dir| {
        let common = root.components().zip(dir.components()).take_while(|(a, b)| a == b);
        common.map(|(component, _)| component).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_median_is_the_mean_of_the_middle_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7, 1, 3]), Some(3));
        assert_eq!(median(vec![8, 1, 3, 6]), Some(4));
    }
}
