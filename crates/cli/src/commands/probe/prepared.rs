//! A probe of which nothing can be refused any more: its ids, what it says, and how it ends.

use std::io::{self, Write};

use vram_artifacts::events::{Event, Finished};
use vram_artifacts::metrics::Metrics;
use vram_artifacts::run_cmd::RunCmd;
use vram_artifacts::run_dir::RunDir;
use vram_artifacts::summary::summary;
use vram_artifacts::version::ARTIFACT_VERSION;
use vram_console::exit::Exit;
use vram_console::reply::Reply;
use vram_console::terminal;
use vram_report::workload::Workload;

use super::options::{Args, EventFormat};
use crate::stdin_preset::PresetPair;

/// A probe that is about to run: everything that can be refused has been.
pub(super) struct Probe<'a, D> {
    pub(super) args: &'a Args,
    pub(super) given: PresetPair,
    pub(super) workload: Workload,
    pub(super) steps_total: u64,
    pub(super) device: D,
}

impl<D> Probe<'_, D> {
    /// Writes and tells what came of the run.
    pub(super) fn conclude(&self, dir: &RunDir, metrics: &Metrics) -> Reply {
        if let Err(error) = dir.write_results(metrics) {
            terminal::complain(&error.into());
            return Reply { text: String::new(), exit: Exit::Failed };
        }
        self.say(&Event::Finished(finished(metrics)));
        Reply::done(match self.args.events {
            Some(EventFormat::Json) => String::new(),
            None => summary(metrics),
        })
    }

    pub(super) fn probe_id(&self) -> String {
        self.workload.probe_id()
    }

    pub(super) fn run_cmd(&self) -> RunCmd {
        // By name: where the executable lies is no part of a run.
        let command = std::iter::once("vram".to_owned());
        let arguments = self.given.arguments().into_iter();
        let arguments = arguments.map(|word| word.to_string_lossy().into_owned());
        RunCmd {
            artifact_version: Some(ARTIFACT_VERSION.to_owned()),
            argv: command.chain(arguments).collect(),
            ant: Some(self.given.ant.clone()),
            colony: Some(self.given.colony.clone()),
            resolved_spec: self.workload.spec.to_json(),
            canonical_spec: self.workload.spec.to_json(),
            workload_id: self.workload.spec.workload_id(),
            probe_id: self.probe_id(),
            row_id: self.args.row_id.clone(),
            notes: vec![
                "seq_len is accounting: tokens/s uses it".to_owned(),
                "synth_len is the number of tokens that a step computes".to_owned(),
                "out_dim is no part of workload_schema_v1: compare by probe_id".to_owned(),
                "step and tape are no part of either id: compare by them, too".to_owned(),
            ],
        }
    }

    /// Prints an event where events are asked for. A reader that went away is no reason to stop.
    pub(super) fn say(&self, event: &Event) {
        if self.args.events.is_some()
            && let Ok(line) = serde_json::to_string(event)
        {
            let mut stdout = io::stdout().lock();
            let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        }
    }
}

fn finished(metrics: &Metrics) -> Finished {
    Finished {
        status: metrics.status(),
        fail_reasons: metrics.fail_reasons.clone(),
        peak_allocated_bytes: metrics.peak_vram_allocated_bytes,
        peak_reserved_bytes: metrics.peak_vram_reserved_bytes,
    }
}
