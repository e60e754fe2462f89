//! Sweeps: which rows are measured, one probe process each, what keeps a row from running, how a
//! sweep is ended and continued, the search for the largest batch, and the bench of a step's time.
//!
//! **One decision: nothing that happens to a row is an error of the sweep.** A row goes through once,
//! from the plan to its [`RowOutcome`](runner::RowOutcome), and the next one runs whatever came of
//! it; only what can be refused before anything runs ends a sweep early. What happens is told as it
//! does ([`event`]) and returned at the end; nothing here prints.
//!
//! ```
//! use vram_presets::library::Library;
//! use vram_sweep::plan::{Plan, select};
//! use vram_workload::device_kind::DeviceKind;
//!
//! let library = Library::built_in();
//! let sweep = library.sweep("vra34")?.spec;
//! let rows = select(&sweep, &["DP1".to_owned()])?;
//! let plan = Plan::new(&library, DeviceKind::Cuda, rows, "runs/mine".as_ref())?;
//! // Predicted by its ledger before anything runs: 259 granules of 32 MiB.
//! assert_eq!(plan.rows[0].predicted(), Some(259 << 25));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

pub mod batch_search;
pub mod bench;
pub mod counted;
pub mod device;
pub mod error;
pub mod event;
pub mod find_max;
mod interrupt;
mod lock;
pub mod plan;
pub mod planned;
pub mod preflight;
pub mod probe_process;
#[cfg(unix)]
mod process;
#[cfg(not(unix))]
#[path = "process_elsewhere.rs"]
mod process;
mod resume;
pub mod row_task;
mod run_dir;
pub mod runner;
pub mod signal;
pub mod slurm;
mod spread;
pub mod sweep;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
