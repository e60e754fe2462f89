//! Trouble on purpose: what watches over a run is tried on a real one.

use std::time::Duration;

use clap::ValueEnum;
use vram_workload::error::WorkloadError;
use vram_workload::step::fault::Fault;
use vram_workload::step::trainer::Trainer;

/// The stall is the original harness's; the faults are ours.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "To cause trouble on purpose")]
pub(super) struct Debug {
    /// Sleep after this measured step, counted from 0; -1 is never
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        default_value = "-1",
        allow_negative_numbers = true,
        requires = "debug_stall_s",
        value_parser = clap::value_parser!(i64).range(-1..)
    )]
    pub(super) debug_stall_after_step: i64,
    /// Sleep this long
    #[arg(long, hide_short_help = true, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(super) debug_stall_s: Duration,
    /// What silence is a stall; 0 is max(60 s, 10 x the warm-up's median)
    #[arg(long, hide_short_help = true, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(super) debug_stall_threshold_s: Duration,
    /// What goes wrong at the step that --debug-fault-at-step names
    #[arg(
        long,
        hide_short_help = true,
        value_enum,
        value_name = "FAULT",
        requires = "debug_fault_at_step"
    )]
    debug_fault: Option<Trouble>,
    /// The step it goes wrong at, counted from 1 through both stages
    #[arg(long, hide_short_help = true, value_name = "N", requires = "debug_fault")]
    debug_fault_at_step: Option<u64>,
}

// Comments and no documentation: with a help of their own, values make `--help` twice as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Trouble {
    // A weight is NaN.
    Nan,
    // The loss is infinite.
    Inf,
    // The loss scale overflows: fp16 skips the step, no other precision has one.
    Overflow,
    Panic,
    // As where a small allocation fails.
    Abort,
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    seconds.ok_or("expected a number of seconds, 0 or above")
}

impl Debug {
    /// Sleeps if this is the step to sleep after, a measured one counted from 0.
    pub(super) fn after_measured(&self, step: u64) {
        if u64::try_from(self.debug_stall_after_step) == Ok(step) {
            std::thread::sleep(self.debug_stall_s);
        }
    }

    /// Breaks this step if it is the one to break.
    pub(super) fn before_step(
        &self,
        step: u64,
        trainer: &mut Trainer,
    ) -> Result<(), WorkloadError> {
        match self.debug_fault.filter(|_| self.debug_fault_at_step == Some(step)) {
            None => Ok(()),
            Some(Trouble::Nan) => trainer.inject(Fault::Nan),
            Some(Trouble::Inf) => trainer.inject(Fault::Inf),
            Some(Trouble::Overflow) => trainer.inject(Fault::Overflow),
            Some(Trouble::Panic) => panic!("asked for by --debug-fault panic"),
            Some(Trouble::Abort) => std::process::abort(),
        }
    }

    /// How long a silence is a stall, in place of the usual rule.
    pub(super) fn stall_after(&self) -> Option<Duration> {
        Some(self.debug_stall_threshold_s).filter(|threshold| !threshold.is_zero())
    }
}
