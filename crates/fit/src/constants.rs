//! The constants of a fit, with their standard errors and intervals.

use crate::lsq::Solution;
use crate::missing::Missing;
use crate::model;
use crate::model::{Estimate, Model, Observation, Pooling, TierFit};
use crate::tier::{Place, Tier, group};

/// What arithmetic of sixteen digits may leave of a zero, as a part of what the rows allocate.
const ROUNDING: f64 = 1e-7;

/// A model's constants for some rows.
pub(crate) struct Constants<'a> {
    model: &'a Model,
    rows: &'a [Observation],
    places: Vec<Place>,
    pub(crate) tiers: Vec<Tier<'a>>,
    lines: Lines,
}

enum Lines {
    /// One a tier, and what tiers of one point may borrow.
    PerTier(Vec<Line>, Vec<Lender>),
    Pooled(Box<Solution>),
}

enum Line {
    Own(Solution),
    Borrowed(Borrowed),
    None(Missing),
}

/// The slope of another tier, per byte of the borrower's terms, and the base that its point leaves.
struct Borrowed {
    from: usize,
    coefficients: Vec<f64>,
    base: f64,
}

/// A tier with a line of its own, and its coefficients.
struct Lender {
    tier: usize,
    coefficients: Vec<f64>,
}

impl<'a> Constants<'a> {
    pub(crate) fn new(model: &'a Model, rows: &'a [Observation]) -> Self {
        let (tiers, places) = group(rows, model.reserve);
        let lines = match model.pooling {
            Pooling::PerTier => per_tier(model, &tiers),
            Pooling::Pooled => {
                let design =
                    rows.iter().zip(&places).map(|(r, p)| pooled_row(r, p.tier, tiers.len()));
                Lines::Pooled(Box::new(Solution::new(
                    &design.collect::<Vec<_>>(),
                    &allocated(rows),
                )))
            }
        };
        Self { model, rows, places, tiers, lines }
    }

    /// Whether row `i` is the only one of its tier.
    pub(crate) fn is_alone(&self, i: usize) -> bool {
        self.tiers[self.places[i].tier].rows.len() == 1
    }

    /// Predicted peak allocated of row `i`.
    pub(crate) fn allocated(&self, i: usize) -> Option<f64> {
        self.predict(&self.rows[i], self.places[i].tier)
    }

    /// Predicted peak reserved of row `i`.
    pub(crate) fn reserved(&self, i: usize) -> Option<f64> {
        let reserve = &self.tiers[self.places[i].tier].reserve;
        Some(model::reserved(self.allocated(i)?, reserve.median(), reserve.granule))
    }

    /// Predicted peak allocated of a row of tier `tier`.
    fn predict(&self, row: &Observation, tier: usize) -> Option<f64> {
        match &self.lines {
            Lines::Pooled(solution) => solution.predict(&pooled_row(row, tier, self.tiers.len())),
            Lines::PerTier(lines, _) => match &lines[tier] {
                Line::Own(solution) => solution.predict(&line_row(row)),
                Line::Borrowed(line) => line.allocated(row),
                Line::None(_) => None,
            },
        }
    }

    /// Predicted peak reserved of row `i`, from a fit of the other rows.
    pub(crate) fn reserved_without(&self, i: usize) -> Option<f64> {
        if self.is_alone(i) {
            return None;
        }
        let Place { tier, at } = self.places[i];
        let (overhead, granule) = self.tiers[tier].reserve_without(at, self.model.reserve);
        Some(model::reserved(self.allocated_without(i)?, overhead, granule))
    }

    fn allocated_without(&self, i: usize) -> Option<f64> {
        let (row, place) = (&self.rows[i], self.places[i]);
        match &self.lines {
            Lines::Pooled(solution) => solution.left_out(i).or_else(|| {
                let kept = (0..self.rows.len()).filter(|&k| k != i);
                let tiers = self.tiers.len();
                let design = |k: usize| pooled_row(&self.rows[k], self.places[k].tier, tiers);
                let matrix: Vec<Vec<f64>> = kept.clone().map(design).collect();
                let y: Vec<f64> = kept.map(|k| self.rows[k].allocated_bytes as f64).collect();
                Solution::new(&matrix, &y).predict(&design(i))
            }),
            Lines::PerTier(lines, lenders) => match (&lines[place.tier], &self.tiers[place.tier]) {
                // One point is left, which has to borrow as any other.
                (_, tier) if tier.rows.len() == 2 => {
                    let point = tier.rows[1 - place.at];
                    let unit = point.unit_bytes as f64;
                    let others = lenders.iter().filter(|l| l.tier != place.tier);
                    borrow(point, unit, &self.tiers, others).ok()?.allocated(row)
                }
                (Line::Own(solution), tier) => solution.left_out(place.at).or_else(|| {
                    let mut others = tier.rows.clone();
                    others.remove(place.at);
                    own_line(&others).predict(&line_row(row))
                }),
                _ => None,
            },
        }
    }

    /// The constants of tier `t`.
    pub(crate) fn tier(&self, t: usize) -> TierFit {
        let (tier, terms) = (&self.tiers[t], self.model.terms.len());
        let estimates = |solution: &Solution, base: usize| {
            let coefficients = (0..terms).map(|j| estimate(solution, j)).collect();
            self.sound(tier, coefficients, estimate(solution, base))
        };
        let unknown = |why: &Missing| {
            let nothing = Estimate { why_null: Some(why.clone()), ..Estimate::default() };
            (vec![nothing.clone(); terms], nothing)
        };
        let mut borrowed_from = None;
        let (coefficients, base) = match &self.lines {
            Lines::Pooled(solution) => estimates(solution, terms + t),
            Lines::PerTier(lines, _) => match &lines[t] {
                Line::Own(solution) => estimates(solution, terms),
                Line::Borrowed(line) => {
                    borrowed_from = Some(self.tiers[line.from].key.to_owned());
                    // The lender's intervals say nothing about this tier.
                    let known = |value: f64| Estimate {
                        value: Some(value),
                        why_null: Some(Missing::OnePoint),
                        ..Estimate::default()
                    };
                    (line.coefficients.iter().map(|&k| known(k)).collect(), known(line.base))
                }
                Line::None(why) => unknown(why),
            },
        };
        TierFit {
            tier: tier.key.to_owned(),
            points: tier.rows.len(),
            anchored: tier.rows.len() == 1,
            borrowed_from,
            coefficients,
            base,
            overhead_bytes: tier.reserve.median(),
            granule_bytes: tier.reserve.granule,
        }
    }

    /// The constants, where none is below zero; otherwise nothing, and why.
    fn sound(
        &self,
        tier: &Tier<'_>,
        mut coefficients: Vec<Estimate>,
        mut base: Estimate,
    ) -> (Vec<Estimate>, Estimate) {
        let values: Vec<Option<f64>> = coefficients.iter().map(|c| c.value).collect();
        let why = below_zero(self.model, tier, &values, base.value);
        for estimate in coefficients.iter_mut().chain([&mut base]) {
            match &why {
                Some(why) => {
                    *estimate = Estimate { why_null: Some(why.clone()), ..Estimate::default() };
                }
                None => estimate.value = estimate.value.map(not_below_zero),
            }
        }
        (coefficients, base)
    }
}

impl Borrowed {
    fn allocated(&self, row: &Observation) -> Option<f64> {
        model::allocated(&self.coefficients, self.base, &row.terms)
    }
}

/// The first constant that is below zero by more than rounding.
fn below_zero(
    model: &Model,
    tier: &Tier<'_>,
    coefficients: &[Option<f64>],
    base: Option<f64>,
) -> Option<Missing> {
    let rounding = ROUNDING * tier.largest_allocated();
    let slopes = coefficients.iter().zip(&model.terms).enumerate();
    let mut negative = slopes.filter_map(|(j, (k, term))| {
        let value = (*k)?;
        let below = value * tier.largest_term(j) < -rounding;
        below.then(|| Missing::NegativeSlope { term: term.clone(), value })
    });
    let base = base.filter(|&bytes| bytes < -rounding && bytes.round() < 0.0);
    negative.next().or(base.map(|bytes| Missing::NegativeBase { bytes }))
}

fn not_below_zero(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

fn estimate(solution: &Solution, j: usize) -> Estimate {
    let (value, std_err) = (solution.value(j), solution.std_err(j));
    Estimate {
        value,
        std_err,
        ci95: solution.ci95(j),
        why_null: match (value, std_err) {
            (None, _) => Some(Missing::Undetermined),
            (_, None) => Some(Missing::NoResidual),
            _ => None,
        },
    }
}

fn per_tier(model: &Model, tiers: &[Tier<'_>]) -> Lines {
    let own: Vec<Option<Solution>> =
        tiers.iter().map(|t| (t.rows.len() > 1).then(|| own_line(&t.rows))).collect();
    let lends =
        |(tier, line): (usize, &Option<Solution>)| lender(model, tiers, tier, line.as_ref()?);
    let lenders: Vec<Lender> = own.iter().enumerate().filter_map(lends).collect();
    let lines = tiers.iter().zip(own).map(|(tier, own)| match own {
        Some(solution) => Line::Own(solution),
        None => match borrow(tier.rows[0], tier.unit, tiers, lenders.iter()) {
            Ok(line) => Line::Borrowed(line),
            Err(why) => Line::None(why),
        },
    });
    Lines::PerTier(lines.collect(), lenders)
}

/// A line that is known and not below zero may be borrowed.
fn lender(model: &Model, tiers: &[Tier<'_>], tier: usize, line: &Solution) -> Option<Lender> {
    let terms = model.terms.len();
    let values: Vec<Option<f64>> = (0..terms).map(|j| line.value(j)).collect();
    if below_zero(model, &tiers[tier], &values, line.value(terms)).is_some() {
        return None;
    }
    let coefficients = values.into_iter().map(|k| k.map(not_below_zero)).collect::<Option<_>>()?;
    Some(Lender { tier, coefficients })
}

/// For a tier whose only row is `point`: the slope of the tier of the nearest unit, and the base
/// that the point gives with it.
fn borrow<'l>(
    point: &Observation,
    unit: f64,
    tiers: &[Tier<'_>],
    lenders: impl Iterator<Item = &'l Lender>,
) -> Result<Borrowed, Missing> {
    // Larger over smaller: two equal ratios are equal floats, which two logarithms need not be.
    let ratio = |t: &Tier<'_>| t.unit.max(unit) / t.unit.min(unit);
    // Ties go to the larger unit, then by key, so that the order of the rows cannot decide.
    let nearer = |a: &&Lender, b: &&Lender| {
        let (a, b) = (&tiers[a.tier], &tiers[b.tier]);
        let by_ratio = ratio(a).total_cmp(&ratio(b));
        by_ratio.then(b.unit.total_cmp(&a.unit)).then(a.key.cmp(b.key))
    };
    let lender = lenders.min_by(nearer).ok_or(Missing::NothingToBorrow)?;
    // What the tiers share is bytes per element, of which each counts its own size.
    let counted = tiers[lender.tier].rows[0].element_bytes as f64 / point.element_bytes as f64;
    let coefficients: Vec<f64> = lender.coefficients.iter().map(|k| k * counted).collect();
    let slopes = coefficients.iter().zip(&point.terms).map(|(k, &x)| k * x as f64);
    let base = point.allocated_bytes as f64 - slopes.sum::<f64>();
    // Solved from the point itself, so there is no error to show either.
    if base.round() < 0.0 {
        return Err(Missing::NegativeBase { bytes: base });
    }
    Ok(Borrowed { from: lender.tier, coefficients, base })
}

/// The line of two rows or more.
fn own_line(rows: &[&Observation]) -> Solution {
    let matrix: Vec<Vec<f64>> = rows.iter().map(|r| line_row(r)).collect();
    let y: Vec<f64> = rows.iter().map(|r| r.allocated_bytes as f64).collect();
    Solution::new(&matrix, &y)
}

fn line_row(row: &Observation) -> Vec<f64> {
    let terms = row.terms.iter().map(|&x| x as f64);
    terms.chain([1.0]).collect()
}

fn pooled_row(row: &Observation, tier: usize, tiers: usize) -> Vec<f64> {
    let bases = (0..tiers).map(|t| if t == tier { 1.0 } else { 0.0 });
    let terms = row.terms.iter().map(|&x| x as f64);
    terms.chain(bases).collect()
}

fn allocated(rows: &[Observation]) -> Vec<f64> {
    rows.iter().map(|r| r.allocated_bytes as f64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Reserve;

    /// What a fit of the other rows says of row `i`, made from nothing but them.
    fn refitted(model: &Model, rows: &[Observation], i: usize) -> Option<f64> {
        let mut others = rows.to_vec();
        let row = others.remove(i);
        let fit = Constants::new(model, &others);
        let tier = fit.tiers.iter().position(|t| t.key == row.tier)?;
        let reserve = &fit.tiers[tier].reserve;
        let allocated = fit.predict(&row, tier)?;
        Some(model::reserved(allocated, reserve.median(), reserve.granule))
    }

    fn size() -> impl Strategy<Value = u64> {
        prop_oneof![1u64..4, 1u64..300]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Tiers of one row and of many, terms that are proportional, that nearly are and that are
        /// not, granules that one row alone has: leaving a row out is what fitting the others is.
        /// Where it is a matter of the last digit whether a term is proportional, the order of the
        /// columns decides: that is tested beside the factorisation, which keeps it.
        #[test]
        fn leaving_a_row_out_is_fitting_the_others(
            cells in prop::collection::vec((0usize..4, size(), size(), 0u64..1 << 24, 0u8..6), 1..14),
            synth_lens in prop::sample::select(vec![vec![256], vec![128, 256], vec![1, 77, 256, 300]]),
            off in prop::sample::select(vec![0u64, 1 << 16]),
            pooled in any::<bool>(),
            reserve in prop::sample::select(vec![Reserve::Overhead, Reserve::Granule]),
        ) {
            let (pooling, terms) = if pooled { (Pooling::Pooled, 3) } else { (Pooling::PerTier, 1) };
            let names = ["ring", "state", "token"][..terms].iter().map(|s| (*s).to_owned());
            let model = Model { terms: names.collect(), pooling, reserve };
            let rows: Vec<Observation> = cells.iter().enumerate().map(|(i, &(tier, batch, t, noise, granule))| {
                let (unit, t) = (4u64 << (20 + tier), synth_lens[t as usize % synth_lens.len()]);
                let ring = batch * t * unit;
                let allocated = ring + batch * unit + (tier as u64 + 1) * 9_000_000 + noise;
                let state = batch * unit + off * (i as u64 % 2);
                Observation {
                    id: i.to_string(),
                    tier: tier.to_string(),
                    unit_bytes: unit,
                    terms: vec![ring, state, batch * t * 1024][..terms].to_vec(),
                    element_bytes: 4 >> (tier % 2),
                    allocated_bytes: allocated,
                    reserved_bytes: allocated.next_multiple_of(32 << 20) + noise,
                    granule_bytes: (granule > 0).then_some(32 << 20),
                }
            }).collect();
            let constants = Constants::new(&model, &rows);
            let largest = rows.iter().map(|r| r.reserved_bytes).max().unwrap_or(0) as f64;
            for i in 0..rows.len() {
                let (fast, again) = (constants.reserved_without(i), refitted(&model, &rows, i));
                prop_assert_eq!(fast.is_some(), again.is_some(), "{}: {:?} {:?}", i, fast, again);
                if let (Some(fast), Some(again)) = (fast, again) {
                    // A prediction beside the edge of a granule may be rounded up to the next.
                    let far = (fast - again).abs();
                    let granules = (far / f64::from(32 << 20)).round();
                    let step = if granules <= 1.0 { granules * f64::from(32 << 20) } else { 0.0 };
                    prop_assert!((far - step).abs() <= 1e-7 * largest, "{i}: {fast} {again}");
                }
            }
        }
    }
}
