//! A fit for programs: constants, rows and what stayed out.

use serde_json::{Value, json};
use vram_artifacts::run_record::RunRecord;
use vram_fit::model::{RowFit, TierFit};
use vram_metrics::verdict::VRAM_GUARD_RATIO;
use vram_presets::sweep::Published;

use crate::catalogue::{Catalogue, PUBLISHED};
use crate::results::Line;
use crate::run_ledger::reserved_by_ledger;
use crate::study::Study;
use crate::tier::Tier;

/// Constants, rows and exclusions, each row with its sizes, its notes and its published figures. Sizes
/// in bytes, but for what was published in GiB.
pub fn study_json(study: &Study, catalogue: &Catalogue) -> Value {
    let names = &study.fit.model.terms;
    let tiers = study.fit.tiers.iter().zip(&study.tiers);
    let tiers = tiers.map(|(fitted, tier)| tier_json(names, fitted, tier, catalogue));
    let lines = study.lines(catalogue);
    // The fitted rows come first, in the same order.
    let rows = study.rows().zip(&lines).map(|((run, row), line)| row_json(run, row, line));
    let excluded = study.excluded.iter();
    json!({
        "terms": names,
        "guard": VRAM_GUARD_RATIO,
        "calibration": PUBLISHED,
        "tiers": tiers.collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
        "excluded": excluded
            .map(|(id, reason)| json!({ "id": id, "reason": reason.to_string() }))
            .collect::<Vec<_>>(),
    })
}

fn tier_json(names: &[String], fitted: &TierFit, tier: &Tier, catalogue: &Catalogue) -> Value {
    let ring = &fitted.coefficients[0];
    let coefficients: serde_json::Map<_, _> = names
        .iter()
        .zip(&fitted.coefficients)
        .map(|(name, c)| {
            let estimate = json!({
                "value": c.value, "std_err": c.std_err, "ci95": c.ci95,
                "why_null": c.why_null.as_ref().map(ToString::to_string),
            });
            (name.clone(), estimate)
        })
        .collect();
    let published = catalogue.constants(&tier.key).map(|constants| {
        json!({
            "name": constants.name,
            "k_ring": constants.coefficients.first(),
            "base_alloc_bytes": constants.base_bytes,
            "overhead_bytes": constants.overhead_bytes,
        })
    });
    json!({
        "name": tier.name,
        "ring_len": tier.key.ring_len,
        "slot_dim": tier.key.slot_dim,
        "precision": tier.key.precision,
        "amp": tier.key.amp,
        "step": tier.key.step,
        "tape": tier.key.tape,
        "device": tier.key.device,
        "machine": tier.key.machine,
        "points": fitted.points,
        "anchored": fitted.anchored,
        "borrowed_from": fitted.borrowed_from,
        "k_ring": ring.value,
        "k_ring_ci95": ring.ci95,
        "coefficients": coefficients,
        "base_alloc_bytes": fitted.base.value.map(|b| b.round() as i64),
        "base_alloc_std_err": fitted.base.std_err,
        "overhead_bytes": fitted.overhead_bytes.round() as i64,
        "published": published,
    })
}

fn row_json(run: &RunRecord, row: &RowFit, line: &Line) -> Value {
    let m = &run.metrics;
    let mut json = line_json(line);
    let more = json!({
        "workload_id": m.workload_id,
        "probe_id": m.probe_id,
        "ant": run.ant,
        "colony": run.colony,
        "precision": m.precision,
        "amp": m.amp,
        "pred_allocated_bytes": row.pred_allocated_bytes,
        // By the fit; what a line shows in its place where there is none is the ledger's.
        "pred_reserved_bytes": row.pred_reserved_bytes,
        "err_percent": row.err_percent,
        "ledger_reserved_bytes": reserved_by_ledger(run),
        "why_no_loo": row.why_no_loo.as_ref().map(ToString::to_string),
    });
    if let (Value::Object(json), Value::Object(more)) = (&mut json, more) {
        json.extend(more);
    }
    json
}

/// A line of the table, sizes in bytes but for what was published in GiB.
pub fn line_json(line: &Line) -> Value {
    let (ant, colony) = (&line.spec.ant, &line.spec.colony);
    let published = line.published.map(|published: Published| {
        json!({
            "pred_reserved_gib": published.pred_reserved_gib,
            "meas_reserved_gib": published.meas_reserved_gib,
            "err_percent": published.err_percent,
        })
    });
    json!({
        "id": line.id,
        "workload_id": line.spec.workload_id(),
        "precision": ant.precision,
        "step": line.step,
        "tape": line.tape,
        "ring_len": ant.ring_len,
        "slot_dim": ant.slot_dim,
        "seq_len": colony.seq_len,
        "synth_len": colony.synth_len,
        "batch_size": colony.batch_size,
        "pred_reserved_bytes": line.pred_reserved_bytes,
        "meas_reserved_bytes": line.meas_reserved_bytes,
        "meas_allocated_bytes": line.meas_allocated_bytes,
        "err_percent": line.err_percent,
        "loo_err_percent": line.loo_err_percent,
        "notes": line.notes,
        "machine": line.origin.as_ref().map(|origin| &origin.machine),
        "gpu_uuid": line.origin.as_ref().and_then(|origin| origin.gpu_uuid.as_ref()),
        "dir": line.origin.as_ref().map(|origin| &origin.dir),
        "published": published,
    })
}
