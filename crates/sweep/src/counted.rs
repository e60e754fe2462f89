//! What a step takes that has no ledger: its probe runs once on a virtual card, which counts memory
//! and computes nothing (`vram dry-run`).
//!
//! Allocated and reserved are then what a real card's counters would be, and so is what is alive at
//! each phase mark. The probe takes as many steps as the one that it stands for: what is reserved
//! settles over the first few.

use std::path::{Path, PathBuf};

use vram_artifacts::error::ArtifactError;
use vram_artifacts::run_record::RunRecord;
use vram_report::error::ReportError;
use vram_report::workload::Workload;
#[cfg(target_os = "linux")]
use vram_virtual_card::error::DryRunError;

/// A probe to count.
#[derive(Debug, Clone, Copy)]
pub struct CountedProbe<'a> {
    /// The executable for cards.
    pub executable: &'a Path,
    /// What it would measure.
    pub workload: &'a Workload,
    /// Steps before the peaks are reset.
    pub warmup_steps: u64,
    /// Steps that the peaks are of.
    pub measure_steps: u64,
    /// The row's name in its sweep.
    pub row_id: Option<&'a str>,
}

/// Why nothing was counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CountError {
    /// There is no executable for cards.
    #[error("{} is not there", path.display())]
    NotThere {
        /// Where it should be.
        path: PathBuf,
    },

    /// A virtual card needs the loader of Linux.
    #[error("a virtual card needs Linux")]
    OnlyOnLinux,

    /// Somebody interrupted it.
    #[error("interrupted")]
    Interrupted,

    /// It cannot be run, or what it does cannot be seen.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    DryRun(DryRunError),

    /// It ended without results.
    #[error("it ended with {ending}: {said}")]
    Ended {
        /// How.
        ending: String,
        /// What it said.
        said: String,
    },

    /// A step of it failed.
    #[error("a step failed: {why}")]
    Failed {
        /// Why.
        why: String,
    },

    /// A workload that cannot run.
    #[error(transparent)]
    Workload(#[from] ReportError),

    /// It left no artifacts that can be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

/// Runs a probe once on a virtual card and reads back what it left in `dir`. The card has as much
/// memory as is asked of it, so that what does not fit any card is counted, too.
///
/// # Errors
///
/// [`CountError`].
#[tracing::instrument(level = "trace", skip_all)]
pub fn count(
    probe: &CountedProbe<'_>,
    dir: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<RunRecord, CountError> {
    imp::count(probe, dir, is_interrupted)
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{CountError, CountedProbe, Path, RunRecord};

    pub(super) fn count(
        _: &CountedProbe<'_>,
        _: &Path,
        _: &dyn Fn() -> bool,
    ) -> Result<RunRecord, CountError> {
        Err(CountError::OnlyOnLinux)
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::path::Path;

    use vram_artifacts::run_record::{RunRecord, read};
    use vram_virtual_card::card::Card;
    use vram_virtual_card::dry_run::{Listener, Options, dry_run};
    use vram_virtual_card::error::DryRunError;
    use vram_virtual_card::requests::Wanted;
    use vram_virtual_card::run::{Invocation, Output, Run};

    use super::{CountError, CountedProbe};

    /// The recorded card that stands for every one: peaks of memory are the same on all.
    const CARD: &str = "h100";

    /// More memory than anybody asks for, in bytes.
    const UNBOUNDED: u64 = 1 << 50;

    struct Interrupts<'a>(&'a dyn Fn() -> bool);

    impl Listener for Interrupts<'_> {
        fn begins(&mut self, _: usize, _: usize) {}

        fn failed(&mut self, _: usize, _: &Run) {}

        fn is_interrupted(&self) -> bool {
            (self.0)()
        }
    }

    pub(super) fn count(
        probe: &CountedProbe<'_>,
        dir: &Path,
        is_interrupted: &dyn Fn() -> bool,
    ) -> Result<RunRecord, CountError> {
        if !probe.executable.is_file() {
            return Err(CountError::NotThere { path: probe.executable.to_owned() });
        }
        let options = Options {
            invocation: Invocation {
                program: probe.executable.to_owned(),
                arguments: arguments(probe, dir).into_iter().map(Into::into).collect(),
            },
            card: Card::new(CARD, Some(UNBOUNDED), 1).map_err(CountError::DryRun)?,
            runs: 1,
            requests: Wanted::Nothing,
            output: Output::Kept,
        };
        let mut found =
            dry_run(&options, &mut Interrupts(is_interrupted)).map_err(|error| match error {
                DryRunError::Interrupted => CountError::Interrupted,
                error => CountError::DryRun(error),
            })?;
        // A refusal is of a program whose memory is not seen; the artifacts of a probe tell its own.
        let run = found.runs.remove(0);
        if !run.ending.is_success() {
            let said = String::from_utf8_lossy(&run.output);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(CountError::Ended { ending: run.ending.to_string(), said });
        }
        let record = read(dir)?;
        match record.metrics.runtime_exception_msg {
            Some(why) => Err(CountError::Failed { why }),
            None => Ok(record),
        }
    }

    fn arguments(probe: &CountedProbe<'_>, dir: &Path) -> Vec<String> {
        let CountedProbe { workload, warmup_steps, measure_steps, row_id, .. } = probe;
        let spec = &workload.spec;
        let options = [
            ("--ant", serde_json::json!(spec.ant).to_string()),
            ("--colony", serde_json::json!(spec.colony).to_string()),
            ("--amp", u8::from(workload.amp).to_string()),
            ("--out-dim", workload.out_dim.to_string()),
            ("--step", workload.step.to_string()),
            ("--warmup-steps", warmup_steps.to_string()),
            ("--measure-steps", measure_steps.to_string()),
            ("--output-dir", dir.display().to_string()),
            ("--device", "cuda".to_owned()),
        ];
        let row_id = row_id.map(|id| ("--row-id", id.to_owned()));
        let tape = workload.tape.map(|tape| ("--tape", tape.to_string()));
        let words = options.into_iter().chain(tape).chain(row_id);
        let words = words.flat_map(|(name, value)| [name.to_owned(), value]);
        ["--quiet", "probe"].into_iter().map(str::to_owned).chain(words).collect()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use vram_presets::library::Library;
    use vram_presets::spec::WorkloadSpec;
    use vram_presets::step::StepKind;
    use vram_report::workload::Mode;

    use super::*;

    /// What becomes of a probe that is a script.
    fn counted(script: Option<&str>) -> Result<RunRecord, CountError> {
        let dir = tempfile::tempdir().unwrap();
        let executable = dir.path().join("vram-cuda");
        if let Some(script) = script {
            fs::write(&executable, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let library = Library::built_in();
        let spec = WorkloadSpec::new(
            library.ant("smoke_narrow").unwrap().spec,
            library.colony("smoke_short").unwrap().spec,
        );
        let mode = Mode { step: StepKind::Plain, ..Mode::default() };
        let workload = &Workload::new(spec, mode).unwrap();
        let probe = CountedProbe {
            executable: &executable,
            workload,
            warmup_steps: 2,
            measure_steps: 3,
            row_id: Some("R1"),
        };
        count(&probe, &dir.path().join("out"), &|| false)
    }

    #[test]
    fn a_probe_that_is_not_there_or_refuses_is_told() {
        assert!(matches!(counted(None), Err(CountError::NotThere { .. })));
        let refused = counted(Some("echo 'built for  another'; echo card >&2; exit 2"));
        let said = refused.unwrap_err().to_string();
        assert_eq!(said, "it ended with exit code 2: built for another card");
        assert!(matches!(counted(Some("exit 0")), Err(CountError::Artifact(_))));
    }

    #[test]
    fn the_probe_is_asked_for_the_whole_workload() {
        let said = counted(Some("echo \"$@\"; exit 2")).unwrap_err().to_string();
        for part in [
            "--quiet probe --ant {\"precision\":\"fp32\",",
            "--colony {\"batch_size\":",
            "--amp 0 --out-dim 1 --step plain --warmup-steps 2 --measure-steps 3",
            "--device cuda --row-id R1",
        ] {
            assert!(said.contains(part), "no `{part}` in {said}");
        }
    }
}
