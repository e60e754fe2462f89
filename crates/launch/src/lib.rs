//! Which device a command runs on, and how the executable gets there.
//!
//! **One decision: what runs on a card is a second executable.** `vram` links no CUDA and starts on
//! every machine. `vram-cuda` takes the same command line; before it is started the driver is asked
//! for the card, and every library that it names is found and loaded here, so that what is missing
//! is said in words and not by a loader before `main`.
//!
//! ```
//! use vram_launch::choice::DeviceChoice;
//! use vram_launch::device::Place;
//!
//! let choice: DeviceChoice = "cpu".parse()?;
//! let Place::Cpu(why) = choice.resolve("vram-cuda".as_ref())? else { unreachable!() };
//! // It was asked for, so there is nothing to explain.
//! assert_eq!(why, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

pub mod choice;
pub mod complete_toolkit;
pub mod device;
pub mod executable;
pub mod fetch_toolkit;
pub mod libraries;
pub mod toolkit;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
