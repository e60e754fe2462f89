//! What a fit takes and gives: rows, a model, and constants with what they predict.

use crate::missing::Missing;

/// One measured run, reduced to what a fit needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Name of the run.
    pub id: String,
    /// Runs of one tier share constants. The key is the caller's.
    pub tier: String,
    /// Size of the tier's unit in bytes: a tier with one point borrows the slope of the tier whose
    /// unit is nearest in ratio.
    pub unit_bytes: u64,
    /// The model's terms in bytes, in its order.
    pub terms: Vec<u64>,
    /// Bytes of one element as the terms count it, the same for all rows of a tier. A slope is per
    /// byte of its term, so that a tier of one point that borrows from one whose terms count
    /// elements of another size takes the slope per element.
    pub element_bytes: u64,
    /// Peak allocated in bytes.
    pub allocated_bytes: u64,
    /// Peak reserved in bytes.
    pub reserved_bytes: u64,
    /// What the allocator reserves in multiples of, in bytes, where that was measured.
    pub granule_bytes: Option<u64>,
}

/// How reserved follows from allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// The median overhead of the tier on top (the published model).
    Overhead,
    /// Rounded up to the allocator's granule, and the median of what is reserved beyond that on
    /// top. A tier whose rows name no granule, or several, or reserve less than theirs, takes its
    /// median overhead.
    Granule,
}

/// Which constants tiers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Each tier has coefficients of its own (the published model).
    PerTier,
    /// One coefficient per term over all tiers, and a base per tier.
    Pooled,
}

/// `allocated = base(tier) + sum of coefficient * term`,
/// `reserved = up(allocated) + median over the tier of (reserved - up(allocated))`, where `up` rounds
/// up to the allocator's granule or, in the published model, not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Names of the terms.
    pub terms: Vec<String>,
    /// Which constants tiers share.
    pub pooling: Pooling,
    /// How reserved follows from allocated.
    pub reserve: Reserve,
}

/// A fitted constant and how well the rows know it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Estimate {
    /// The constant, where the rows determine it.
    pub value: Option<f64>,
    /// Its standard error, where the rows leave a residual.
    pub std_err: Option<f64>,
    /// Its 95 % interval; none below three points.
    pub ci95: Option<[f64; 2]>,
    /// Why something above is missing.
    pub why_null: Option<Missing>,
}

/// A tier's constants.
#[derive(Debug, Clone, PartialEq)]
pub struct TierFit {
    /// The tier's key.
    pub tier: String,
    /// Rows it was fitted on.
    pub points: usize,
    /// With a single point the base is solved from it and nothing is validated.
    pub anchored: bool,
    /// The tier whose coefficients a single point borrows, per element of the terms.
    pub borrowed_from: Option<String>,
    /// One coefficient per term.
    pub coefficients: Vec<Estimate>,
    /// Bytes that do not depend on the terms.
    pub base: Estimate,
    /// Median of what is reserved beyond allocated, or beyond its granules, in bytes; even counts
    /// take the mean of the middle two.
    pub overhead_bytes: f64,
    /// What allocated is rounded up to before the overhead, in bytes.
    pub granule_bytes: Option<u64>,
}

impl TierFit {
    /// Why the tier has no constants although there are rows enough: they would be below zero.
    pub fn contradiction(&self) -> Option<&Missing> {
        self.base.why_null.as_ref().filter(|why| why.is_contradiction())
    }

    /// Peaks of a run of this tier with these terms, in bytes; none where the constants are not
    /// known, the terms are not the model's, or no number of bytes comes out.
    pub fn predict(&self, terms: &[u64]) -> Option<Prediction> {
        let values: Option<Vec<f64>> = self.coefficients.iter().map(|c| c.value).collect();
        let allocated = allocated(&values?, self.base.value?, terms)?;
        Prediction::new(allocated, self.overhead_bytes, self.granule_bytes)
    }
}

/// Predicted peaks in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prediction {
    /// Peak allocated.
    pub allocated_bytes: u64,
    /// Peak reserved.
    pub reserved_bytes: u64,
}

impl Prediction {
    pub(crate) fn new(allocated: f64, overhead: f64, granule: Option<u64>) -> Option<Self> {
        Some(Self {
            allocated_bytes: bytes(allocated)?,
            reserved_bytes: bytes(reserved(allocated, overhead, granule))?,
        })
    }
}

/// `base + sum of coefficient * term`; none where there are not as many of both.
pub(crate) fn allocated(coefficients: &[f64], base: f64, terms: &[u64]) -> Option<f64> {
    let slopes = coefficients.iter().zip(terms).map(|(k, &x)| k * x as f64);
    (coefficients.len() == terms.len()).then(|| base + slopes.sum::<f64>())
}

pub(crate) fn reserved(allocated: f64, overhead: f64, granule: Option<u64>) -> f64 {
    up(allocated, granule) + overhead
}

/// Rounded up to whole granules.
pub(crate) fn up(allocated: f64, granule: Option<u64>) -> f64 {
    granule.map_or(allocated, |granule| (allocated / granule as f64).ceil() * granule as f64)
}

/// The nearest whole number of bytes; none where there is no such number.
pub(crate) fn bytes(value: f64) -> Option<u64> {
    let whole = value.round();
    // 2^64: the first number that does not fit.
    (0.0..18_446_744_073_709_551_616.0).contains(&whole).then_some(whole as u64)
}

/// A row against its prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFit {
    /// Name of the run.
    pub id: String,
    /// Its tier's key.
    pub tier: String,
    /// Predicted peak allocated in bytes.
    pub pred_allocated_bytes: Option<u64>,
    /// Predicted peak reserved in bytes.
    pub pred_reserved_bytes: Option<u64>,
    /// Measured peak allocated in bytes.
    pub meas_allocated_bytes: u64,
    /// Measured peak reserved in bytes.
    pub meas_reserved_bytes: u64,
    /// `(predicted - measured) / measured` of reserved, in percent.
    pub err_percent: Option<f64>,
    /// The same, predicted from a fit without this row.
    pub loo_err_percent: Option<f64>,
    /// Why the leave-one-out error is missing.
    pub why_no_loo: Option<Missing>,
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The model.
    pub model: Model,
    /// Constants of each tier, in the order in which tiers first appear.
    pub tiers: Vec<TierFit>,
    /// Every row, in the order given.
    pub rows: Vec<RowFit>,
}
