//! Files that people write: read within bounds, and every fault shown at its place.
//!
//! **One decision: a text is checked to its end.** Who corrects one key to be told of the next
//! corrects a file five times. So a text becomes values that know where they stand, and whoever
//! reads them notes each fault and goes on.
//!
//! ```
//! use vram_source::check::Check;
//! use vram_source::text::{Source, Syntax};
//!
//! let source = Source::inline("ring_len = 0\nslot = 3\n", Syntax::Toml);
//! let check = Check::new(&source);
//! let ring_len = check.document()?.read(|fields| {
//!     fields.required("ring_len", |value| value.integer(1, u64::MAX))
//! });
//! let faults = check.finish(ring_len).unwrap_err();
//! let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
//! assert_eq!(lines, [
//!     "inline TOML:1: ring_len: expected an integer of at least 1, found 0",
//!     "inline TOML:2: unknown key `slot`",
//! ]);
//! # Ok::<(), vram_source::fault::Faults>(())
//! ```
#![deny(missing_docs)]

pub mod check;
pub mod escape;
pub mod fault;
pub mod file;
mod json;
pub mod nearest;
pub mod text;
mod toml_text;
pub mod value;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
