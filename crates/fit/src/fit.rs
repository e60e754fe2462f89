use crate::lsq::Solution;
use crate::model::{bytes, reserved, up};
use crate::{Estimate, Fit, FitError, Model, Observation, Pooling, Reserve, RowFit, TierFit};

const UNDETERMINED: &str = "the rows do not determine it";
const NO_RESIDUAL: &str = "needs a row more than there are constants";
const ONE_POINT: &str = "the tier has one point: anchored, not validated";
const NOTHING_TO_BORROW: &str = "the tier has one point and no other tier has a slope to borrow";
const LOO_UNDETERMINED: &str = "the other rows do not determine a prediction";

/// Fits `model` to `rows` by least squares on peak allocated.
///
/// # Errors
///
/// A model without terms, an observation with another number of terms, or one that reserves less
/// than it allocates or reserves nothing.
pub fn fit(model: &Model, rows: &[Observation]) -> Result<Fit, FitError> {
    check(model, rows)?;
    let constants = Constants::new(model, rows);
    let tiers = tier_keys(rows).into_iter().map(|key| constants.tier(key)).collect();
    let rows = (0..rows.len()).map(|i| row(model, rows, &constants, i)).collect();
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
            r if r.granule_bytes == Some(0) => "the allocator's granule has no size",
            _ => continue,
        };
        return Err(FitError::Impossible { id: id(), reason });
    }
    Ok(())
}

fn row(model: &Model, rows: &[Observation], constants: &Constants, i: usize) -> RowFit {
    let row = &rows[i];
    let allocated = constants.allocated(row);
    let error = |predicted: f64| {
        let measured = row.reserved_bytes as f64;
        100.0 * (predicted - measured) / measured
    };
    let pred_reserved = constants.reserved(row);

    let single = rows.iter().filter(|r| r.tier == row.tier).count() == 1;
    let mut others = rows.to_vec();
    others.remove(i);
    let left_out = Constants::new(model, &others).reserved(row);
    RowFit {
        id: row.id.clone(),
        tier: row.tier.clone(),
        pred_allocated_bytes: allocated.and_then(bytes),
        pred_reserved_bytes: pred_reserved.and_then(bytes),
        meas_allocated_bytes: row.allocated_bytes,
        meas_reserved_bytes: row.reserved_bytes,
        err_percent: pred_reserved.map(error),
        loo_err_percent: left_out.map(error),
        why_no_loo: match left_out {
            Some(_) => None,
            None if single => Some(ONE_POINT),
            None => Some(LOO_UNDETERMINED),
        },
    }
}

fn tier_keys(rows: &[Observation]) -> Vec<&str> {
    let mut keys: Vec<&str> = Vec::new();
    for row in rows {
        if !keys.contains(&row.tier.as_str()) {
            keys.push(&row.tier);
        }
    }
    keys
}

/// One tier's rows, its part of a solution, and its overhead.
struct Tier<'a> {
    key: &'a str,
    rows: Vec<&'a Observation>,
    granule: Option<u64>,
    overhead: f64,
}

impl<'a> Tier<'a> {
    fn of(model: &Model, key: &'a str, rows: &'a [Observation]) -> Self {
        let rows: Vec<&Observation> = rows.iter().filter(|r| r.tier == key).collect();
        let first = rows.first().and_then(|r| r.granule_bytes);
        let agreed = rows.iter().all(|r| r.granule_bytes == first);
        let granule = first.filter(|_| agreed && model.reserve == Reserve::Granule);
        let beyond =
            |r: &&Observation| r.reserved_bytes as f64 - up(r.allocated_bytes as f64, granule);
        Self { key, granule, overhead: median(rows.iter().map(beyond).collect()), rows }
    }

    /// Middle of the tier's unit sizes, for the distance between tiers.
    fn unit(&self) -> f64 {
        median(self.rows.iter().map(|r| r.unit_bytes as f64).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// A model's constants for some rows.
enum Constants<'a> {
    /// A line per tier, and for tiers of one point the tier that lends its slope.
    PerTier(Vec<(Tier<'a>, Line<'a>)>),
    Pooled(Vec<Tier<'a>>, Solution),
}

enum Line<'a> {
    Own(Solution),
    Borrowed { from: &'a str, base: f64 },
    None,
}

impl<'a> Constants<'a> {
    fn new(model: &Model, rows: &'a [Observation]) -> Self {
        let tiers: Vec<Tier<'a>> =
            tier_keys(rows).into_iter().map(|k| Tier::of(model, k, rows)).collect();
        match model.pooling {
            Pooling::PerTier => Self::PerTier(per_tier(tiers)),
            Pooling::Pooled => {
                let design = |r: &Observation| pooled_row(&tiers, r);
                let matrix: Vec<Vec<f64>> = rows.iter().map(design).collect();
                let solution = Solution::new(&matrix, &allocated(rows));
                Self::Pooled(tiers, solution)
            }
        }
    }

    fn find(&self, key: &str) -> Option<(&Tier<'a>, &Line<'a>)> {
        let Self::PerTier(tiers) = self else { return None };
        tiers.iter().find(|(t, _)| t.key == key).map(|(t, l)| (t, l))
    }

    /// Predicted peak allocated of a row of these tiers.
    fn allocated(&self, row: &Observation) -> Option<f64> {
        match self {
            Self::Pooled(tiers, solution) => {
                tiers.iter().any(|t| t.key == row.tier).then_some(())?;
                solution.predict(&pooled_row(tiers, row))
            }
            Self::PerTier(_) => match self.find(&row.tier)?.1 {
                Line::Own(solution) => solution.predict(&line_row(row)),
                Line::Borrowed { from, base } => Some(base + self.slope(from, row)?),
                Line::None => None,
            },
        }
    }

    fn reserved(&self, row: &Observation) -> Option<f64> {
        let tier = match self {
            Self::Pooled(tiers, _) => tiers.iter().find(|t| t.key == row.tier)?,
            Self::PerTier(_) => self.find(&row.tier)?.0,
        };
        Some(reserved(self.allocated(row)?, tier.overhead, tier.granule))
    }

    /// What the terms of `row` add on the line of tier `key`.
    fn slope(&self, key: &str, row: &Observation) -> Option<f64> {
        let (_, Line::Own(solution)) = self.find(key)? else { return None };
        slope(solution, row)
    }

    fn tier(&self, key: &str) -> TierFit {
        match self {
            Self::Pooled(tiers, solution) => {
                let terms = tiers.first().map_or(0, |t| t.rows[0].terms.len());
                let at = tiers.iter().position(|t| t.key == key).unwrap_or(0);
                let coefficients = (0..terms).map(|j| estimate(solution, j)).collect();
                tier_fit(&tiers[at], coefficients, estimate(solution, terms + at), None)
            }
            Self::PerTier(tiers) => {
                let at = tiers.iter().position(|(t, _)| t.key == key).unwrap_or(0);
                self.line(&tiers[at].0, &tiers[at].1)
            }
        }
    }

    fn line(&self, tier: &Tier<'_>, line: &Line<'_>) -> TierFit {
        let terms = tier.rows[0].terms.len();
        let estimates = |solution: &Solution| (0..terms).map(|j| estimate(solution, j)).collect();
        match line {
            Line::Own(solution) => {
                tier_fit(tier, estimates(solution), estimate(solution, terms), None)
            }
            Line::Borrowed { from, base } => {
                let lender = self.find(from);
                let mut coefficients = match lender {
                    Some((_, Line::Own(solution))) => estimates(solution),
                    _ => Vec::new(),
                };
                // The lender's intervals say nothing about this tier.
                for c in &mut coefficients {
                    *c = known(c.value);
                }
                tier_fit(tier, coefficients, known(Some(*base)), Some((*from).to_owned()))
            }
            Line::None => {
                let nothing = Estimate { why_null: Some(NOTHING_TO_BORROW), ..Estimate::default() };
                tier_fit(tier, vec![nothing.clone(); terms], nothing, None)
            }
        }
    }
}

fn tier_fit(
    tier: &Tier<'_>,
    coefficients: Vec<Estimate>,
    base: Estimate,
    borrowed_from: Option<String>,
) -> TierFit {
    TierFit {
        tier: tier.key.to_owned(),
        points: tier.rows.len(),
        anchored: tier.rows.len() == 1,
        borrowed_from,
        coefficients,
        base,
        overhead_bytes: tier.overhead,
        granule_bytes: tier.granule,
    }
}

/// A value without an error of its own.
fn known(value: Option<f64>) -> Estimate {
    Estimate { value, why_null: Some(ONE_POINT), ..Estimate::default() }
}

fn estimate(solution: &Solution, j: usize) -> Estimate {
    let (value, std_err) = (solution.value(j), solution.std_err(j));
    Estimate {
        value,
        std_err,
        ci95: solution.ci95(j),
        why_null: match (value, std_err) {
            (None, _) => Some(UNDETERMINED),
            (_, None) => Some(NO_RESIDUAL),
            _ => None,
        },
    }
}

fn per_tier(tiers: Vec<Tier<'_>>) -> Vec<(Tier<'_>, Line<'_>)> {
    let lines: Vec<Option<Solution>> = tiers.iter().map(own_line).collect();
    let borrowed: Vec<Option<(&str, f64)>> =
        tiers.iter().map(|t| borrow(t, &tiers, &lines)).collect();
    let all = tiers.into_iter().zip(lines).zip(borrowed);
    all.map(|((tier, own), borrowed)| {
        let line = match (own, borrowed) {
            (Some(solution), _) => Line::Own(solution),
            (None, Some((from, base))) => Line::Borrowed { from, base },
            (None, None) => Line::None,
        };
        (tier, line)
    })
    .collect()
}

/// The line of a tier with two points or more.
fn own_line(tier: &Tier<'_>) -> Option<Solution> {
    let rows: Vec<Vec<f64>> = tier.rows.iter().map(|r| line_row(r)).collect();
    let y: Vec<f64> = tier.rows.iter().map(|r| r.allocated_bytes as f64).collect();
    (rows.len() > 1).then(|| Solution::new(&rows, &y))
}

/// For a tier of one point: the fitted tier of the nearest unit, and the base that the point gives
/// with its slope.
fn borrow<'a>(
    tier: &Tier<'_>,
    tiers: &[Tier<'a>],
    lines: &[Option<Solution>],
) -> Option<(&'a str, f64)> {
    let [point] = tier.rows[..] else { return None };
    // Larger over smaller: two equal ratios are equal floats, which two logarithms need not be.
    let ratio = |t: &Tier<'_>| t.unit().max(tier.unit()) / t.unit().min(tier.unit());
    // Ties go to the larger unit, then by key, so that the order of the rows cannot decide.
    let nearer = |a: &Tier<'_>, b: &Tier<'_>| {
        let by_ratio = ratio(a).total_cmp(&ratio(b));
        by_ratio.then(b.unit().total_cmp(&a.unit())).then(a.key.cmp(b.key))
    };
    let lenders = tiers.iter().zip(lines).filter_map(|(t, line)| {
        let slope = slope(line.as_ref()?, point)?;
        Some((t, point.allocated_bytes as f64 - slope))
    });
    lenders.min_by(|a, b| nearer(a.0, b.0)).map(|(t, base)| (t.key, base))
}

/// `sum of coefficient * term`, where the line has its coefficients.
fn slope(line: &Solution, row: &Observation) -> Option<f64> {
    let terms = row.terms.iter().enumerate();
    terms.map(|(j, &x)| Some(line.value(j)? * x as f64)).sum()
}

fn line_row(row: &Observation) -> Vec<f64> {
    let terms = row.terms.iter().map(|&x| x as f64);
    terms.chain([1.0]).collect()
}

fn pooled_row(tiers: &[Tier<'_>], row: &Observation) -> Vec<f64> {
    let bases = tiers.iter().map(|t| if t.key == row.tier { 1.0 } else { 0.0 });
    let terms = row.terms.iter().map(|&x| x as f64);
    terms.chain(bases).collect()
}

fn allocated(rows: &[Observation]) -> Vec<f64> {
    rows.iter().map(|r| r.allocated_bytes as f64).collect()
}
