//! The exit codes.

use std::process::ExitCode;

use strum::VariantArray;
use vram_sweep::signal::Signal;

/// How the command ends: the only exit codes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum Exit {
    /// Done; a probe has written its results, whether they say PASS or FAIL.
    Done,
    /// What ran did not get through.
    Failed,
    /// Refused before anything ran or was written.
    Refused,
    /// Ended by Ctrl-C (SIGINT).
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl Exit {
    /// Every way to end, in the order of their codes.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Refused => 2,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the code says, as `--help` prints it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => {
                "done; a probe's results are written, PASS or FAIL; a sweep's rows passed"
            }
            Self::Failed => {
                "results cannot be written, a row of a sweep failed or has none, a fit without a run or with a constant below zero, a defect"
            }
            Self::Refused => "usage or bad input: refused, nothing ran",
            Self::Interrupted => "ended by Ctrl-C; finished rows are kept, --resume continues",
            Self::Terminated => "ended by SIGTERM; finished rows are kept, --resume continues",
        }
    }

    /// The table of exit codes, for `--help`.
    pub fn table() -> String {
        let line = |exit: &Self| format!("\n  {:3}  {}", exit.code(), exit.meaning());
        let lines: String = Self::ALL.iter().map(line).collect();
        format!("Exit codes:{lines}")
    }
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
