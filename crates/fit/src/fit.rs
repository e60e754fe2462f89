//! The fit itself.

use crate::constants::Constants;
use crate::error::FitError;
use crate::missing::Missing;
use crate::model::{Fit, Model, Observation, RowFit, bytes};

/// Fits `model` to `rows` by least squares on peak allocated.
///
/// A tier whose constants would be below zero has none, and [`Missing`] says why: the rows
/// contradict the model. Its rows keep their predictions, so that their errors show how.
///
/// # Errors
///
/// A model without terms, an observation with another number of terms or elements of another size
/// than its tier's, or one that reserves less than it allocates or reserves nothing.
pub fn fit(model: &Model, rows: &[Observation]) -> Result<Fit, FitError> {
    check(model, rows)?;
    let constants = Constants::new(model, rows);
    for tier in &constants.tiers {
        let size = tier.rows[0].element_bytes;
        if let Some(row) = tier.rows.iter().find(|r| r.element_bytes != size) {
            let reason = "its terms count elements of another size than its tier's";
            return Err(FitError::Impossible { id: row.id.clone(), reason });
        }
    }
    let tiers = (0..constants.tiers.len()).map(|t| constants.tier(t)).collect();
    let rows = rows.iter().enumerate().map(|(i, r)| row(r, &constants, i)).collect();
    Ok(Fit { model: model.clone(), tiers, rows })
}

fn check(model: &Model, rows: &[Observation]) -> Result<(), FitError> {
    if model.terms.is_empty() {
        return Err(FitError::NoTerms);
    }
    for row in rows {
        let id = || row.id.clone();
        if row.terms.len() != model.terms.len() {
            return Err(FitError::Terms {
                id: id(),
                found: row.terms.len(),
                expected: model.terms.len(),
            });
        }
        let reason = match row {
            r if r.reserved_bytes == 0 => "nothing is reserved",
            r if r.reserved_bytes < r.allocated_bytes => "reserves less than it allocates",
            r if r.unit_bytes == 0 => "the tier's unit has no size",
            r if r.element_bytes == 0 => "the terms' elements have no size",
            r if r.granule_bytes == Some(0) => "the allocator's granule has no size",
            _ => continue,
        };
        return Err(FitError::Impossible { id: id(), reason });
    }
    Ok(())
}

fn row(row: &Observation, constants: &Constants<'_>, i: usize) -> RowFit {
    let error = |predicted: f64| {
        let measured = row.reserved_bytes as f64;
        100.0 * (predicted - measured) / measured
    };
    let pred_reserved = constants.reserved(i);
    let left_out = constants.reserved_without(i);
    RowFit {
        id: row.id.clone(),
        tier: row.tier.clone(),
        pred_allocated_bytes: constants.allocated(i).and_then(bytes),
        pred_reserved_bytes: pred_reserved.and_then(bytes),
        meas_allocated_bytes: row.allocated_bytes,
        meas_reserved_bytes: row.reserved_bytes,
        err_percent: pred_reserved.map(error),
        loo_err_percent: left_out.map(error),
        why_no_loo: match left_out {
            Some(_) => None,
            None if constants.is_alone(i) => Some(Missing::OnePoint),
            None => Some(Missing::OthersUndetermined),
        },
    }
}
