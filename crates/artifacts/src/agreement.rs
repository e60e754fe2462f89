//! What a run's artifacts say more than once.

use std::path::Path;

use vram_presets::library::workload_from_text;
use vram_presets::spec::WorkloadSpec;
use vram_source::text::Syntax;
use vram_source::value::clipped;

use crate::env::Env;
use crate::error::ArtifactError;
use crate::metrics::Metrics;
use crate::names;
use crate::run_cmd::RunCmd;

/// Parts of `run_cmd.txt`, as messages name them.
const RESOLVED: &str = "run_cmd.txt (resolved_spec)";
const CANONICAL: &str = "run_cmd.txt (canonical_spec)";
const ARGV: &str = "run_cmd.txt (argv)";
const NO_TIMES: &str = "metrics.json (step times are null)";

/// Checks that what a run's artifacts say more than once they say alike: a peak that is filed under
/// the sizes of another run is worse than none.
pub(crate) fn agree(
    dir: &Path,
    spec: &WorkloadSpec,
    metrics: &Metrics,
    run_cmd: &RunCmd,
    env: &Env,
) -> Result<(), ArtifactError> {
    let same = |key, first: (&'static str, String), second: (&'static str, String)| {
        if first.1 == second.1 {
            return Ok(());
        }
        let quoted =
            |(file, value): (_, String)| (file, format!("`{}`", clipped(&value)).into_boxed_str());
        let (first, second) = (quoted(first), quoted(second));
        Err(ArtifactError::Disagree { dir: dir.to_owned(), key, first, second })
    };
    let m = metrics;
    let workload = [
        ("batch_size", m.batch_size.to_string(), spec.colony.batch_size.to_string()),
        ("seq_len", m.seq_len.to_string(), spec.colony.seq_len.to_string()),
        ("synth_len", m.synth_len.to_string(), spec.colony.synth_len.to_string()),
        ("precision", m.precision.clone(), spec.ant.precision.to_string()),
    ];
    for (key, measured, resolved) in workload {
        same(key, (names::METRICS, measured), (RESOLVED, resolved))?;
    }
    let canonical =
        workload_from_text(&run_cmd.canonical_spec.to_string(), Syntax::Json).map_err(|e| {
            ArtifactError::Parse {
                path: dir.join(names::RUN_CMD),
                message: format!("canonical_spec: {e}"),
            }
        })?;
    same(
        "the workload",
        (CANONICAL, canonical.canonical_json()),
        (RESOLVED, spec.canonical_json()),
    )?;
    // Both files hold the ids; what they are of is the spec.
    let workload_id = spec.workload_id();
    for (file, id) in [(names::RUN_CMD, &run_cmd.workload_id), (names::METRICS, &m.workload_id)] {
        same("workload_id", (file, id.clone()), (RESOLVED, workload_id.clone()))?;
    }
    // Written out: an amp of 2 is not one of 0.
    let probe_id = format!("{workload_id}__E{}__{}_amp{}", m.out_dim, m.precision, m.amp);
    for (file, id) in [(names::RUN_CMD, &run_cmd.probe_id), (names::METRICS, &m.probe_id)] {
        same("probe_id", (file, id.clone()), (names::METRICS, probe_id.clone()))?;
    }
    if let Some(precision) = &env.precision {
        same("precision", (names::ENV, precision.clone()), (names::METRICS, m.precision.clone()))?;
    }
    if let Some(amp) = env.amp {
        same("amp", (names::ENV, amp.to_string()), (names::METRICS, m.amp.to_string()))?;
    }
    if let (Some(total), Some(measured)) = (env.total_vram_bytes, m.total_vram_bytes) {
        let measured = (names::METRICS, measured.to_string());
        same("total_vram_bytes", (names::ENV, total.to_string()), measured)?;
    }
    if m.untimed() {
        let stated = (names::ENV, env.virtual_card.to_string());
        same("virtual_card", (NO_TIMES, true.to_string()), stated)?;
    }
    let asked = [
        ("--batch", m.batch_size.to_string()),
        ("--precision", m.precision.clone()),
        ("--amp", m.amp.to_string()),
        ("--step", m.step().to_string()),
        ("--tape", m.tape().map_or_else(|| "none".to_owned(), |tape| tape.to_string())),
        ("--out-dim", m.out_dim.to_string()),
        ("--warmup-steps", m.warmup_steps.to_string()),
        ("--measure-steps", m.measure_steps.to_string()),
    ];
    for (flag, measured) in asked {
        if let Some(value) = run_cmd.option(flag) {
            same(flag, (ARGV, value.to_owned()), (names::METRICS, measured))?;
        }
    }
    for (flag, key) in [("--ant", &run_cmd.ant), ("--colony", &run_cmd.colony)] {
        if let (Some(key), Some(value)) = (key, run_cmd.option(flag)) {
            same(flag, (ARGV, value.to_owned()), (names::RUN_CMD, key.clone()))?;
        }
    }
    Ok(())
}
