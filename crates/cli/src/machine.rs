//! The machine as `env.json` records it.

use std::collections::BTreeMap;
use std::process::Command;

use vram_artifacts::env::Env;
use vram_artifacts::version::ARTIFACT_VERSION;
use vram_metrics::facts::DeviceFacts;
use vram_metrics::meter::MeterError;

/// Variables that change how a step runs.
const VARIABLES: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "CUDA_CACHE_DISABLE", "RAYON_NUM_THREADS"];

/// The facts of this machine; precision and amp are a run's. `context` is what the process holds
/// on the card outside its pool, none on the CPU.
#[tracing::instrument(level = "trace", name = "ask machine", skip_all)]
pub(crate) fn env(
    facts: DeviceFacts,
    context: Option<Result<u64, MeterError>>,
    run: Option<(String, bool)>,
) -> Env {
    let mut errors = facts.errors;
    let context_bytes = match context {
        Some(Ok(bytes)) => Some(bytes),
        Some(Err(why)) => {
            errors.push(format!("context_bytes: {why}"));
            None
        }
        None => {
            errors.push("context_bytes: no context on a card is open".to_owned());
            None
        }
    };
    let mut git =
        |args: &[&str]| git(args).map_err(|why| errors.push(format!("git_commit: {why}"))).ok();
    let git_commit = git(&["rev-parse", "HEAD"]);
    let git_dirty = git_commit.is_some().then(|| git(&["status", "--porcelain"])).flatten();
    errors.push("torch_version: measured without torch".to_owned());
    let (precision, amp) = run.unzip();
    Env {
        artifact_version: Some(ARTIFACT_VERSION.to_owned()),
        generated_utc: Some(jiff::Timestamp::now().to_string()),
        tool_version: Some(format!("vram {}", env!("CARGO_PKG_VERSION"))),
        gpu_name: facts.gpu_name,
        cpu_name: facts.cpu_name,
        cpu_threads: std::thread::available_parallelism().ok().map(|n| n.get() as u64),
        total_vram_bytes: facts.total_bytes,
        available_vram_bytes: facts.available_bytes,
        context_bytes,
        driver_version: facts.driver_version,
        cuda_version: facts.cuda_version,
        compute_capability: facts.compute_capability,
        driver_model: facts.driver_model,
        gpu_uuid: facts.gpu_uuid,
        virtual_card: facts.is_virtual,
        torch_version: None,
        os: facts.os,
        precision,
        amp: amp.map(u8::from),
        git_commit,
        git_dirty: git_dirty.map(|changes| !changes.is_empty()),
        env_vars: variables(),
        errors,
    }
}

fn variables() -> BTreeMap<String, Option<String>> {
    let value = |name: &str| std::env::var(name).ok();
    VARIABLES.iter().map(|name| ((*name).to_owned(), value(name))).collect()
}

/// What git says of the working directory's repository.
fn git(args: &[&str]) -> Result<String, String> {
    let output = Command::new("git").args(args).output().map_err(|e| format!("git: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
