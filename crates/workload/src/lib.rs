//! OD1, the first workload of the VRAM budget: a pointer-addressed ring memory with a GRU.
//!
//! Every token reads a small neighbourhood of a large ring of slots, updates a hidden state,
//! writes back around the pointer, and moves the pointer. One training step is forward over all
//! `T = synth_len` tokens, cross-entropy on the last token's logits, backward, Adam. Its dominant
//! memory is the tape: one whole fp32 ring state `[B,R,D]` per token, kept until backward. Asked for
//! ([`Shape::with_tape`]), it is the five rows that each token read instead, `[B,5,D]`, and every
//! result is the same to the bit.
//!
//! **One decision: one model, two steps.** [`Od1`] is a candle model: named tensors from a
//! `VarBuilder`, differentiable operations, any optimizer. But candle's autograd keeps a chain of
//! `T` partial sums alive for every weight that is used in every token, so that the peak of a plain
//! step is the autograd's and not the workload's. So there is a second step on the same tensors,
//! [`FusedStep`], whose backward is written by hand: the gradient of the ring state is one buffer
//! updated in place, weight gradients are taken from all tokens at once, and nothing is allocated
//! per token beyond the tape. Its kernels run in the stream of candle's device, its memory is
//! candle's, and its gradients are a `GradStore`.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{Optimizer, VarBuilder, VarMap};
//! use rand::{SeedableRng, rngs::StdRng};
//! use vram_presets::spec::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};
//! use vram_workload::model::draw::draw_parameters;
//! use vram_workload::model::od1::Od1;
//! use vram_workload::shape::Shape;
//! use vram_workload::step::batch::Batch;
//! use vram_workload::step::fused::FusedStep;
//! use vram_workload::step::loss_scale::LossScale;
//!
//! let ant = AntSpec { ring_len: 32, slot_dim: 24, ptr_dtype: PtrDtype::Fp64, precision: Precision::Fp32 };
//! let colony = ColonySpec { seq_len: 8, synth_len: 8, batch_size: 2, ptr_update_every: 1, state_loop_samples: 0 };
//! let shape = Shape::new(&WorkloadSpec { ant, colony }, 1, false)?;
//!
//! let device = Device::Cpu; // or Device::new_cuda_with_stream(0)?
//! let vars: VarMap = draw_parameters(&shape, &mut StdRng::seed_from_u64(0), &device)?;
//! let model = Od1::new(shape.clone(), VarBuilder::from_varmap(&vars, DType::F32, &device))?;
//! let x = Tensor::randn(0f32, 1.0, (2, 8, 1), &device)?;
//! let y = Tensor::new(&[7u32, 200], &device)?;
//! let starts = Tensor::new(&[0.25f64, 0.75], &device)?;
//!
//! let batch = Batch::new(&shape, &x, &y)?;
//! let mut step = FusedStep::new(&model)?;
//! let mut scale = LossScale::new(&shape, &device)?;
//! let mut sgd = candle_nn::SGD::new(model.vars()?, 0.1)?;
//! let mut losses = Vec::new();
//! for _ in 0..5 {
//!     let results = step.run(&batch, &starts, &mut scale, &mut |_phase| ())?;
//!     sgd.step(&results.gradients.store)?;
//!     losses.push(results.loss.to_scalar::<f32>()?);
//! }
//! assert!(losses[4] < losses[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Od1`]: model::od1::Od1
//! [`FusedStep`]: step::fused::FusedStep
//! [`Shape::with_tape`]: shape::Shape::with_tape
#![deny(missing_docs)]

pub mod buffer_spec;
#[cfg(feature = "cuda")]
pub mod build;
pub mod device_kind;
pub mod error;
pub mod extent;
mod formula;
pub mod ledger;
pub mod ledger_entry;
mod memory;
pub mod model;
mod ops;
mod parameters;
pub mod shape;
pub mod step;
mod tensor_check;
pub mod threads;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
