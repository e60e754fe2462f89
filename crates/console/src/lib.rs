//! What `vram` and `cargo xtask` share of a command line: how they speak to a person and end, and the
//! sweep, the bench and the search for a CUDA toolkit that both run.
//!
//! **One decision: a command returns its text.** What it computes is a [`Reply`](reply::Reply), which
//! [`run`] prints, so there is one place where a closed pipe ends quietly, one where an error is
//! rendered and one where an exit code is chosen; and a sweep whose reader went away still writes
//! its results. Data goes to stdout, everything else to stderr.
//!
//! ```
//! use vram_console::exit::Exit;
//! use vram_console::reply::Reply;
//!
//! let reply = Reply::done("259 granules\n");
//! assert_eq!((reply.exit, reply.exit.code()), (Exit::Done, 0));
//! // The table of `--help`.
//! assert!(Exit::table().contains("130  ended by Ctrl-C"));
//! ```
#![deny(missing_docs)]

pub mod bench;
pub mod cuda_toolkit;
pub mod device_flag;
mod diagnostic;
pub mod exit;
pub mod list_format;
mod live;
pub mod panics;
mod place;
pub mod presets;
mod progress;
pub mod reply;
pub mod run;
mod shown;
mod slurm;
mod summary;
pub mod sweep;
mod sweep_tables;
pub mod terminal;
pub mod verbosity;
pub mod vram_size;
pub mod waiting;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
