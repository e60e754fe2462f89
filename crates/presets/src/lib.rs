//! Workloads by name: specs, strict parsing, workload ids, named presets and sweep definitions
//! (VRA-31).
//!
//! **One decision: nothing is coerced.** A measured peak is filed under the id of a spec for
//! years; a quoted number or a misspelt key that was silently taken for something else would file
//! it under the wrong workload. So an unknown key, a float, a boolean, a quoted number or a padded
//! name is an error at its line, and what a user edits is checked the way a compiler would.
//!
//! ```
//! use vram_presets::library::Library;
//! use vram_presets::spec::{Precision, WorkloadSpec};
//!
//! let library = Library::built_in();
//! let ant = library.ant("od1_canon_small")?.spec;
//! let colony = library.colony("od1_canon_real")?.spec;
//! let workload = WorkloadSpec::new(ant, colony)
//!     .with_precision(Precision::Fp16)
//!     .with_batch(16)?;
//! assert_eq!(workload.workload_id(), "wl_v1_831069834653");
//! assert_eq!(workload.ring_buf_bytes()?, 4 << 30);
//!
//! let typo = library.ant("od1_cannon_small").unwrap_err();
//! assert_eq!(typo.to_string(), "unknown ant `od1_cannon_small`");
//! # Ok::<(), vram_presets::error::PresetError>(())
//! ```
#![deny(missing_docs)]

pub mod error;
pub mod kind;
pub mod library;
pub mod name;
mod named;
mod parse;
pub mod spec;
pub mod step;
pub mod sweep;
pub mod tape;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
