//! What `vram-cuda` beside this executable counts of a workload on a virtual card.

use miette::{Diagnostic, IntoDiagnostic, Report, miette};
use vram_artifacts::run_record::RunRecord;
use vram_launch::executable::{cuda_executable_name, own_dir};
use vram_presets::sweep::{MEASURE_STEPS, WARMUP_STEPS};
use vram_report::workload::Workload;
use vram_sweep::counted::{CountError, CountedProbe, count};

/// The run of a workload's probe on a virtual card, which stands for one of a real card.
///
/// # Errors
///
/// Of the outer result: the system refused. Of the inner one: nothing was counted.
pub(crate) fn run_of(workload: &Workload) -> miette::Result<Result<RunRecord, CountError>> {
    let executable = own_dir().into_diagnostic()?.join(cuda_executable_name());
    let dir = tempfile::tempdir().into_diagnostic()?;
    tracing::debug!("dry run of {}: {}", workload.probe_id(), executable.display());
    let probe = CountedProbe {
        executable: &executable,
        workload,
        warmup_steps: WARMUP_STEPS,
        measure_steps: MEASURE_STEPS,
        row_id: None,
    };
    let interrupts = Interrupts::new()?;
    Ok(count(&probe, &dir.path().join("run"), &|| interrupts.came()))
}

/// What is said where neither a calibration nor a dry run answers: the first, and how to get either.
pub(crate) fn unanswered(first: &(impl Diagnostic + ?Sized), why: &CountError) -> Report {
    let first_help = first.help().map_or_else(String::new, |help| format!("{help}; "));
    let help = match why {
        CountError::NotThere { path } => format!(
            "{first_help}or put vram-cuda beside vram, and a dry run of it answers without a card \
             ({} is not there): `cargo build --release --package vram-cli --features cuda --bin \
             vram-cuda` builds it, with a toolkit that `vram cuda-toolkit` names",
            path.display()
        ),
        why => format!("{first_help}a dry run of vram-cuda does not answer either: {why}"),
    };
    miette!(help = help, "{first}")
}

/// Whether somebody wants it to stop.
#[cfg(target_os = "linux")]
struct Interrupts(crate::virtual_card::Watcher);

#[cfg(target_os = "linux")]
impl Interrupts {
    fn new() -> miette::Result<Self> {
        crate::virtual_card::Watcher::new().map(Self)
    }

    fn came(&self) -> bool {
        use vram_virtual_card::dry_run::Listener;
        self.0.is_interrupted()
    }
}

/// Where nothing is counted, nothing is interrupted.
#[cfg(not(target_os = "linux"))]
struct Interrupts;

#[cfg(not(target_os = "linux"))]
impl Interrupts {
    fn new() -> miette::Result<Self> {
        Ok(Self)
    }

    fn came(&self) -> bool {
        false
    }
}
