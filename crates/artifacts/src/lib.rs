//! What a run leaves on disk and says on the wire: artifacts (VRA-32), events and calibration
//! files, their versions, their readers and their writers.
//!
//! **One decision: a run is one record or none.** What its artifacts say more than once has to agree
//! before anything is computed from them, and every file is written whole or not at all: a peak that
//! is filed under the sizes of another run, or that is half written, is worse than none. Keys are
//! the original harness's; what this project adds, the original's runs lack, and both are read.
//!
//! ```
//! use vram_artifacts::run_record::read;
//!
//! let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/torch_h200/dp01_smallxreal_B16");
//! let run = read(dir.as_ref())?;
//! assert_eq!((run.spec.ant.ring_len, run.metrics.batch_size), (2048, 16));
//! assert!(run.metrics.peak_vram_allocated_bytes > Some(8 << 30));
//! # Ok::<(), vram_artifacts::error::ArtifactError>(())
//! ```
#![deny(missing_docs)]

mod agreement;
pub mod atomic;
pub mod calibration;
pub mod env;
pub mod error;
pub mod events;
pub mod metrics;
pub mod names;
pub mod plan;
pub mod run_cmd;
pub mod run_dir;
pub mod run_record;
pub mod slurm_jobs;
pub mod steps;
pub mod summary;
pub mod task;
pub mod version;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
