//! From observations of peak memory to constants, and from constants to predictions (VRA-34).
//!
//! Nothing here knows what the terms mean: a fit takes bytes and gives bytes per byte.
//!
//! **One decision: no bare number.** A slope through two points and a slope through ten look
//! alike, and a table whose rows were all fitted looks right whatever the model. So every constant
//! carries its standard error and interval, every row its leave-one-out error, and what the rows
//! do not determine is `None` with the reason rather than some number that fits as well.
//!
//! ```
//! use vram_fit::fit::fit;
//! use vram_fit::model::{Model, Observation, Pooling, Reserve};
//!
//! let model = Model {
//!     terms: vec!["ring".into()],
//!     pooling: Pooling::PerTier,
//!     reserve: Reserve::Overhead,
//! };
//! let row = |batch: u64, allocated_bytes: u64| Observation {
//!     id: format!("B{batch}"),
//!     tier: "small".into(),
//!     unit_bytes: 1 << 20,
//!     terms: vec![batch << 20],
//!     element_bytes: 4,
//!     allocated_bytes,
//!     reserved_bytes: allocated_bytes + 100,
//!     granule_bytes: None,
//! };
//! // allocated = 50 + 2 * ring, exactly.
//! let rows = [1, 2, 3].map(|batch| row(batch, 50 + 2 * (batch << 20)));
//! let fitted = fit(&model, &rows)?;
//! let tier = &fitted.tiers[0];
//! assert!((tier.coefficients[0].value.unwrap() - 2.0).abs() < 1e-12);
//! assert!((tier.base.value.unwrap() - 50.0).abs() < 1e-3);
//! assert_eq!(tier.overhead_bytes, 100.0);
//! assert!(fitted.rows.iter().all(|r| r.loo_err_percent.unwrap().abs() < 1e-6));
//! # Ok::<(), vram_fit::error::FitError>(())
//! ```
#![deny(missing_docs)]

pub mod calibration;
mod constants;
pub mod error;
pub mod fit;
mod lsq;
pub mod missing;
pub mod model;
mod tier;

/// The example of the package's page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
