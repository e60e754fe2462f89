//! What the runs were measured with.

use vram_artifacts::run_record::RunRecord;

use super::contents::Part;
use crate::runs::Runs;
use crate::units::gib;

/// What is known of the device, the system and the tool; nothing where there is no run.
pub(super) fn facts(runs: &Runs) -> Option<Part> {
    let measured = runs.measured().next();
    let run = measured.or(runs.records.first())?;
    Some(Part::Facts(of(run, measured.is_some())))
}

fn of(run: &RunRecord, is_measured: bool) -> Vec<(&'static str, String)> {
    let env = &run.env;
    let or_null = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let mut facts = vec![("device", format!("{} ({})", run.machine(), run.metrics.device))];
    if !is_measured {
        facts.push(("virtual card", "it computes nothing: no row is a measurement".to_owned()));
    }
    let total =
        env.total_vram_bytes.map_or("null".to_owned(), |b| format!("{} GiB ({b} bytes)", gib(b)));
    facts.push(("total memory", total));
    if let Some(threads) = env.cpu_threads {
        facts.push(("threads", threads.to_string()));
    }
    if run.metrics.device != "cpu" {
        let versions = format!("{} / {}", or_null(&env.driver_version), or_null(&env.cuda_version));
        let granule = run.metrics.pool_granule_bytes;
        facts.extend([
            ("driver / CUDA", versions),
            ("compute capability", or_null(&env.compute_capability)),
            ("driver model", or_null(&env.driver_model)),
            ("pool's granule", granule.map_or("null".to_owned(), |b| format!("{b} bytes"))),
        ]);
    }
    facts.extend([
        ("system", or_null(&env.os)),
        ("tool", or_null(&env.tool_version)),
        ("first run, UTC", or_null(&env.generated_utc)),
    ]);
    facts
}
