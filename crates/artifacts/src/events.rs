//! What `vram probe --events json` prints on stdout: one JSON object per line, as it happens.
//!
//! ```
//! use vram_artifacts::events::{Event, Step};
//!
//! let line = r#"{"event":"step","stage":"measure","step":3,"of":5,"seconds":1.5,
//!     "peak_allocated_bytes":70,"peak_reserved_bytes":80}"#;
//! let Event::Step(Step { step, of, .. }) = serde_json::from_str(line)? else { unreachable!() };
//! assert_eq!((step, of), (3, 5));
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::{Deserialize, Serialize};
use vram_metrics::window::{Progress, Stage};

use crate::metrics::{RecordedReason, Status};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line: the output directory is taken and compute begins.
    Started(Started),
    /// A step is over.
    Step(Step),
    /// The last line: the results are written.
    Finished(Finished),
}

/// What is about to be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The probe's id (VRA-31).
    pub probe_id: String,
    /// The workload's id (VRA-31).
    pub workload_id: String,
    /// Steps of warm-up and measurement together.
    pub steps_total: u64,
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The step's part of the window.
    pub stage: Stage,
    /// Its number, from 1 and through both stages.
    pub step: u64,
    /// Steps of both stages.
    pub of: u64,
    /// Its duration on the host's clock; null on a virtual card, which computes nothing.
    pub seconds: Option<f64>,
    /// Peak allocated since the stage began, in bytes.
    pub peak_allocated_bytes: Option<u64>,
    /// Peak reserved since the stage began, in bytes.
    pub peak_reserved_bytes: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The verdict.
    pub status: Status,
    /// Why it is FAIL.
    pub fail_reasons: Vec<RecordedReason>,
    /// Peak allocated of the measured steps, in bytes.
    pub peak_allocated_bytes: Option<u64>,
    /// Peak reserved of the measured steps, in bytes.
    pub peak_reserved_bytes: Option<u64>,
}

impl From<&Progress> for Step {
    fn from(progress: &Progress) -> Self {
        Self {
            stage: progress.stage,
            step: progress.step,
            of: progress.steps,
            seconds: Some(progress.seconds),
            peak_allocated_bytes: progress.peak_allocated_bytes,
            peak_reserved_bytes: progress.peak_reserved_bytes,
        }
    }
}
