//! What measured runs come to, and what a step will take before it runs: the catalogue of runs, the
//! fit with names on it, predictions and limits, tables, Markdown, HTML and SVG.
//!
//! **One decision: everything here is computed from what lies on disk.** No table, fit or drawing
//! needs the device that was measured on, and none is stored as if it had been measured: delete what
//! was derived, and the same comes out again, on any machine.
//!
//! ```
//! use vram_presets::library::Library;
//! use vram_presets::spec::WorkloadSpec;
//! use vram_report::predictor::LoadedCalibration;
//! use vram_report::workload::{Mode, Workload};
//!
//! let library = Library::built_in();
//! let (ant, colony) = (library.ant("od1_canon_small")?, library.colony("od1_canon_real")?);
//! let spec = WorkloadSpec::new(ant.spec, colony.spec).with_precision("fp16".parse()?);
//! let workload = Workload::new(spec, Mode::default())?;
//! let calibration = LoadedCalibration::load(&library, None)?;
//! let predictor = calibration.predictor(&workload)?;
//! // Sixteen samples reserve 259 granules of 32 MiB.
//! assert_eq!(predictor.budget(16).unwrap().reserved_bytes, 259 << 25);
//! // On a card of 16 GiB, within 0.92 of it, 29 fit.
//! assert_eq!(predictor.most((0.92 * (16u64 << 30) as f64) as u64), 29);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

pub mod capacity_model;
pub mod catalogue;
mod chart;
pub mod constants;
pub mod csv_text;
pub mod defaults;
pub mod document;
pub mod error;
pub mod exclusion;
#[cfg(target_os = "linux")]
pub mod max_batch;
pub mod memory_check;
mod page;
mod peaks;
pub mod phase_chart;
mod phases;
pub mod predictor;
#[cfg(target_os = "linux")]
pub mod program;
pub mod results;
pub mod run_ledger;
pub mod runs;
pub mod study;
pub mod study_json;
pub mod table;
pub mod terms;
pub mod tier;
pub mod units;
pub mod varied_sizes;
#[cfg(target_os = "linux")]
mod verdict_words;
pub mod workload;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
