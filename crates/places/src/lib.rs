//! Where the bytes on a card are: from what a process asked for, and the stacks that asked, to places in
//! the program.
//!
//! A [place](place::Place) is the innermost function of the program's own, with its line where there is
//! debug information, and what it had a library do: candle's outermost operation, and the innermost
//! where that is another. `train → AdamW::step → Tensor::affine` is a temporary of an
//! optimizer's step. Whose a function is tells its source, and without debug information the crate that
//! its name begins with ([`Profile`](profile::Profile) has allocations, places and the peak). A program
//! that was stripped is told by module and offset, of the innermost code that not every eighth stack has.
//!
//! What memory is for, its [class](class::Class), is told by the stack and else by the marks that the
//! program sets after each phase, the first of these that holds:
//!
//! 1. made under `Tensor::backward`: a gradient, or what it was computed from;
//! 2. made under an optimizer (`AdamW`, `SGD`, a type whose name ends in `Optimizer`): its state, or what
//!    a step is computed from;
//! 3. made as a variable (`Var`, `VarMap`, `VarBuilder`): a parameter;
//! 4. the next mark begins with `backward`: a gradient; with `update`, `step` or `optimizer`: the
//!    optimizer's; with `forward`, and there was a mark before: an activation; with `start`,
//!    `parameters`, `model`, `weights` or `data`: set up with the parameters;
//! 5. made under a function named `forward`: an activation;
//! 6. otherwise nothing is known, and the class is `other`.
//!
//! **One decision: names come from files and not from the process.** A stack is a list of addresses
//! until somebody asks for it; symbols and lines are read here, afterwards, by whoever has the files. So
//! the process that is watched spends no time on names, and each address is looked up once, however
//! many allocations have it.
//!
//! ```
//! use std::path::Path;
//! use vram_places::profile::{Profile, SetMark};
//! use vram_virtual_card::requests::{Memory, Requests, Step};
//!
//! let allocate = |address, bytes| Step::Allocate {
//!     card: 0, memory: Memory::Pool, address, bytes, stream: 0, stack: None,
//! };
//! let steps = vec![allocate(1, 100), allocate(2, 50), Step::Free { address: 2, stream: 0 }];
//! let requests = Requests { steps, ..Requests::default() };
//! let marks = [SetMark { name: "parameters", steps: 1 }, SetMark { name: "forward", steps: 2 }];
//! let profile = Profile::new(&requests, Path::new("train"), &marks);
//! assert_eq!((profile.peak_bytes, profile.peak_request), (150, 2));
//! let classes: Vec<&str> = profile.at_peak().iter().map(|share| share.place.class.name()).collect();
//! assert_eq!(classes, ["parameters", "activations"]);
//! ```
#![deny(missing_docs)]

mod alive;
pub mod class;
mod folded;
mod libraries;
mod name;
mod operation;
mod origin;
pub mod place;
pub mod profile;
mod stacks;
mod symbols;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
