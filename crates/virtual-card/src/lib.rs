//! A virtual card: the exact peak of any program that uses CUDA, on a machine without card, driver or
//! toolkit.
//!
//! A [dry run](dry_run) starts an unmodified program with stand-ins for NVIDIA's libraries in their
//! place. They compute nothing and account for every allocation, as the driver would, and what the
//! program would read of a kernel's work reads as a value that is chosen for the run. So the program
//! runs several times, with several values, and where its allocations are the same each time, and did
//! not depend on a value before the peak, the peak is the card's, to the byte.
//!
//! **One decision: the stand-in is no crate of the workspace.** It is compiled by this package's build
//! script, linked into one shared library under the names and versions of seven of NVIDIA's, and
//! carried in the executable as bytes. As a crate that other executables link, its `cuInit` would
//! answer for the driver's in a program that runs on a card.
//!
//! ```
//! use vram_virtual_card::pool::{GRANULE, Pool};
//!
//! // What the driver's pool reserves for three requests, one of them freed.
//! let mut pool = Pool::new(GRANULE);
//! let stream = 0;
//! let first = pool.place(40 << 20, stream).unwrap();
//! pool.take(first);
//! let second = pool.place(1000, stream).unwrap();
//! pool.take(second);
//! pool.free(first.offset, stream, 0);
//! let third = pool.place(20 << 20, stream).unwrap();
//! pool.take(third);
//! assert_eq!(pool.used(), (20 << 20) + 1000);
//! assert_eq!(pool.reserved(), 2 * GRANULE);
//! ```
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::duplicate_mod, reason = "the two libraries share what they write"))]

#[cfg(target_os = "linux")]
pub mod card;
#[cfg(target_os = "linux")]
pub mod dry_run;
#[cfg(target_os = "linux")]
pub mod error;
#[cfg(target_os = "linux")]
mod library;
#[cfg(target_os = "linux")]
pub mod max_batch;
pub mod playback;
pub mod pool;
#[cfg(target_os = "linux")]
mod program;
mod progress;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "what only the stand-in writes")]
mod protocol;
#[cfg(target_os = "linux")]
pub mod recording;
#[cfg(target_os = "linux")]
mod recording_file;
pub mod requests;
#[cfg(target_os = "linux")]
mod requests_file;
pub mod reserved;
#[cfg(target_os = "linux")]
pub mod run;
pub mod sequence;
#[cfg(target_os = "linux")]
pub mod trace;
#[cfg(target_os = "linux")]
pub mod verdict;
#[cfg(target_os = "linux")]
mod watched;

/// The lints of what passes calls on: elsewhere it is the build script's.
#[cfg(all(test, target_os = "linux"))]
#[path = "../passing/lib.rs"]
#[allow(dead_code, reason = "the loader and the program call it")]
#[allow(clippy::not_unsafe_ptr_arg_deref, reason = "arguments are as NVIDIA's headers say")]
mod passing;

/// The stand-in's own tests, and its lints: elsewhere it is the build script's.
#[cfg(all(test, target_os = "linux"))]
#[path = "../stand-in/lib.rs"]
#[allow(dead_code, reason = "the loader and the program call it")]
#[allow(clippy::not_unsafe_ptr_arg_deref, reason = "arguments are as NVIDIA's headers say")]
mod stand_in;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
