//! A sequence of memory requests, played on a card: what the driver's pool does with each, and whether
//! the model of the pool does the same.
//!
//! [`card::play`] plays it on a card, [`model::play`] on the model, and [`Comparison`] holds one against
//! the other. [`recorded::sequence_of`] makes a sequence of what a program asked for in a dry run.
//!
//! **One decision: a sequence has a pool of its own.** The card's default pool holds what the process
//! allocated before, and keeps the settings that somebody made; addresses would tell of that as much as of
//! the sequence. A pool that is made for it starts empty, as the driver makes it, and behaves as the
//! default one does.
//!
//! [`Comparison`]: compare::Comparison
//!
//! ```
//! use vram_replay::{compare::Comparison, model};
//! use vram_virtual_card::sequence;
//!
//! // Two of three neighbours are freed: they are one range, which the next request fits.
//! let lines = sequence::parse(
//!     "alloc 1 1048576 = 0 1048576 33554432
//!      alloc 2 1048576 = 1048576 2097152 33554432
//!      alloc 3 1048576 = 2097152 3145728 33554432
//!      free 1          = 2097152 33554432
//!      free 2          = 1048576 33554432
//!      alloc 4 2097152 = 0 3145728 33554432",
//! )?;
//! let seen = model::play(&lines)?;
//! let written: Vec<_> = lines.iter().map(|line| line.seen).collect();
//! let comparison = Comparison::new(&seen, &written);
//! assert_eq!(comparison.addresses.to_string(), "4 of 4");
//! assert_eq!(comparison.first_difference, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

pub mod card;
pub mod compare;
mod context;
mod cuda_pool;
pub mod error;
pub mod model;
pub mod recorded;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
