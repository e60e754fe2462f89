//! Meters of peak memory for a training step, and what is needed to trust them: phase marks, a
//! step clock, a measurement window, device facts and the stability verdict (VRA-30, VRA-32).
//!
//! Nothing here knows a model: a program measures its own step.
//!
//! **One decision: a peak comes from an allocator's own counters or not at all.** Sampling a
//! process's size in a loop misses the peak between two samples, and a device-wide "used" counts
//! other processes. So on the host the allocator itself counts ([`HostAllocator`]), on a card the
//! driver's memory pool does (`PoolMeter`, feature `cuda`), and a binary without them gets an error
//! such as [`MeterError::NotInstalled`], never a zero.
//!
//! A candle training step, measured:
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{Module, Optimizer, SGD, VarBuilder, VarMap, linear, loss::mse};
//! use std::time::Duration;
//! use vram_metrics::host::{HostAllocator, HostMeter};
//! use vram_metrics::phase::{Marks, Phase};
//! use vram_metrics::clock::WallClock;
//! use vram_metrics::watchdog::Watchdog;
//! use vram_metrics::window::{StepReport, Window};
//!
//! #[global_allocator]
//! static ALLOC: HostAllocator = HostAllocator;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let meter = HostMeter::new()?;
//! let mut marks = Marks::new(&meter);
//! let vars = VarMap::new();
//! let model = linear(512, 1, VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
//! let x = Tensor::randn(0f32, 1.0, (1024, 512), &Device::Cpu)?;
//! let y = x.sum_keepdim(1)?;
//! marks.mark(Phase::Parameters);
//! let mut optimizer = SGD::new(vars.all_vars(), 0.01)?;
//! marks.mark(Phase::Optimizer);
//!
//! let stall_floor = Duration::from_secs(60);
//! let window = Window { warmup_steps: 1, measure_steps: 3, stall_floor, stall_after: None };
//! let measured = window.run(
//!     &meter,
//!     &mut WallClock::default(),
//!     &mut marks,
//!     &Watchdog::default(),
//!     &mut |mark: &mut dyn FnMut(Phase)| {
//!         let loss = mse(&model.forward(&x)?, &y)?;
//!         mark(Phase::ForwardEnd);
//!         optimizer.backward_step(&loss)?;
//!         mark(Phase::StepEnd);
//!         let nan = loss.to_scalar::<f32>()?.is_nan();
//!         Ok::<_, candle_core::Error>(StepReport { nan, ..StepReport::default() })
//!     },
//!     &mut |progress| assert!(progress.seconds > 0.0),
//! );
//! // The input alone is 1024 * 512 * 4 bytes.
//! let peak = measured.peak_allocated_bytes?;
//! assert!(peak > 2 << 20);
//! assert!(measured.peak_reserved_bytes? >= peak);
//! assert_eq!(marks.into_result()?.len(), 4);
//! # Ok(())
//! # }
//! ```
//!
//! [`HostAllocator`]: host::HostAllocator
//! [`MeterError::NotInstalled`]: meter::MeterError::NotInstalled
#![deny(missing_docs)]

#[cfg(feature = "driver")]
mod card_facts;
pub mod clock;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(feature = "driver")]
pub mod driver;
pub mod facts;
#[cfg(unix)]
pub mod host;
#[cfg(not(unix))]
#[path = "host_unsupported.rs"]
pub mod host;
mod listener;
#[cfg(feature = "driver")]
mod lost_card;
pub mod meter;
#[cfg(feature = "driver")]
mod nvml;
pub mod other_processes;
pub mod phase;
pub mod verdict;
pub mod watchdog;
pub mod window;

pub use listener::{card_is_virtual, mark};

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
