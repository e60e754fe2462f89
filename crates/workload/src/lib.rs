//! OD1, the first workload of the VRAM budget: a pointer-addressed ring memory with a GRU.
//!
//! Every token reads a small neighbourhood of a large ring of slots, updates a hidden state,
//! writes back around the pointer, and moves the pointer. One training step is forward over all
//! `T = synth_len` tokens, cross-entropy on the last token's logits, backward, Adam. Its dominant
//! memory is the tape: one whole fp32 ring state `[B,R,D]` per token, kept until backward.
//!
//! **One decision: the backward is written by hand.** candle's autograd keeps a chain of `T`
//! partial sums alive for every weight that is used in every token, so that the measured peak
//! would be the autograd's and not the workload's (k_ring 2.89 instead of 2.02 was seen). Here the
//! gradient of the ring state is one buffer updated in place, weight gradients are taken from all
//! tokens at once, and nothing is allocated per token beyond the tape. candle gives the tensors
//! that go in and come out; the CPU's matrix products go to the library that candle's use, the
//! GPU's kernels (feature `cuda`) are ours, each beside its CPU twin in `src/kernels`.
//!
//! ```
//! use vram_presets::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};
//! use vram_workload::{Host, Shape, Trainer};
//!
//! let ant = AntSpec { ring_len: 32, slot_dim: 24, ptr_dtype: PtrDtype::Fp64, precision: Precision::Fp32 };
//! let colony = ColonySpec { seq_len: 8, synth_len: 8, batch_size: 2, ptr_update_every: 1, state_loop_samples: 0 };
//! let shape = Shape::new(&WorkloadSpec { ant, colony }, 1, false)?;
//!
//! let mut phases = Vec::new();
//! let mut trainer = Trainer::new(shape, 0, &Host, &mut |phase| phases.push(phase))?;
//! trainer.step(&mut |phase| phases.push(phase))?;
//! assert!(trainer.outcome()?.is_some_and(|o| o.loss.is_finite()));
//! assert_eq!(phases.len(), 5); // parameters, optimizer, forward end, backward peak, step end
//! # Ok::<(), vram_workload::WorkloadError>(())
//! ```
#![deny(missing_docs)]

mod activations;
mod backend;
mod backward;
mod bandwidth;
mod batch;
#[cfg(feature = "cuda")]
mod cuda;
mod error;
mod fault;
mod forward;
mod gradients;
mod host;
mod item;
mod kernels;
mod ledger;
mod loss_scale;
mod memory;
mod model;
mod numeric;
mod optimizer;
mod params;
mod shape;
mod tape;
mod trainer;

pub use backend::Backend;
pub use bandwidth::copy_rate;
pub use batch::Batch;
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use error::WorkloadError;
pub use fault::Fault;
pub use forward::Forward;
pub use gradients::Gradients;
pub use host::Host;
pub use item::{Class, Dim, Item};
pub use ledger::{DeviceKind, Entry, Knob, Ledger};
pub use loss_scale::LossScale;
pub use model::Model;
pub use optimizer::Adam;
pub use shape::{CLASSES, Compute, MOST_HEADS, Pointer, Shape, TAPS};
pub use tape::Tape;
pub use trainer::{StepOutcome, Trainer};
