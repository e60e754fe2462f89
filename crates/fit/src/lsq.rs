//! Linear least squares that says what its rows do not determine.

use nalgebra::{DMatrix, DVector, RowDVector};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A direction that is this much smaller than the largest is not determined. The data are exact
/// integers below 2^53, so what is determined lies far above.
const RANK_TOLERANCE: f64 = 1e-9;

/// A coefficient with a larger part than this in an undetermined direction is not determined.
const NULL_TOLERANCE: f64 = 1e-6;

/// A row's weight on its own prediction up to which leaving it out is a matter of arithmetic. Above
/// it the difference to one has too few digits left.
const LEVERAGE: f64 = 1.0 - 1e-4;

/// Leaving a row out is a matter of arithmetic where no direction comes closer than this factor to
/// [`RANK_TOLERANCE`] by it: a fit of the other rows then determines what this one does.
const RANK_MARGIN: f64 = 100.0;

/// The least-squares solution of `X b = y`.
#[derive(Debug)]
pub(crate) struct Solution {
    values: Vec<f64>,
    /// Per coefficient: `sqrt(diag((X'X)^-))`, the standard error in units of the residual's.
    spread: Vec<f64>,
    /// Orthonormal directions in which the rows say nothing, in scaled coordinates.
    null: Vec<Vec<f64>>,
    scales: Vec<f64>,
    residual_std: Option<f64>,
    freedom: usize,
    /// Per row: what the other rows predict of it, where this factorisation tells.
    left_out: Vec<Option<f64>>,
}

impl Solution {
    /// Solves with columns scaled to one, so that bytes and indicators weigh alike.
    ///
    /// By `X P = Q R` with pivoting, which is exact to rounding whatever the rank: nalgebra's
    /// singular values are not where columns are proportional (0.35; off by a percent at times).
    pub(crate) fn new(rows: &[Vec<f64>], y: &[f64]) -> Self {
        // Without rows there is still a direction of which nothing is known.
        let columns = rows.first().map_or(1, Vec::len);
        let scales: Vec<f64> = (0..columns)
            .map(|j| rows.iter().fold(0.0, |a: f64, r| a.max(r[j].abs())))
            .map(|s| if s > 0.0 { s } else { 1.0 })
            .collect();
        let x = DMatrix::from_fn(rows.len(), columns, |i, j| rows[i][j] / scales[j]);
        let y = DVector::from_column_slice(y);
        let factors = Factors::new(&x);
        let weights = factors.q.tr_mul(&y);

        let mut scaled = DVector::zeros(columns);
        let mut variance = vec![0.0; columns];
        let solved = &factors.inverse * &weights;
        for (k, &j) in factors.order.iter().take(factors.rank()).enumerate() {
            scaled[j] = solved[k];
            variance[j] = factors.inverse.row(k).norm_squared();
        }
        let freedom = rows.len() - factors.rank();
        let residuals = &y - &x * &scaled;
        let residual_std =
            (freedom > 0).then(|| (residuals.norm_squared() / freedom as f64).sqrt());
        Self {
            values: scaled.iter().zip(&scales).map(|(b, s)| b / s).collect(),
            spread: variance.iter().zip(&scales).map(|(v, s)| v.sqrt() / s).collect(),
            null: factors.null(),
            left_out: factors.left_out(&y, &weights, &scale_growth(&x)),
            scales,
            residual_std,
            freedom,
        }
    }

    /// What a solution of the other rows predicts of row `i`; none where only solving again tells.
    pub(crate) fn left_out(&self, i: usize) -> Option<f64> {
        self.left_out[i]
    }

    /// Coefficient `j`, if the rows determine it.
    pub(crate) fn value(&self, j: usize) -> Option<f64> {
        let determined = self.null.iter().all(|n| n[j].abs() <= NULL_TOLERANCE);
        determined.then(|| self.values[j])
    }

    /// Its standard error, if the rows leave a residual.
    pub(crate) fn std_err(&self, j: usize) -> Option<f64> {
        self.value(j)?;
        Some(self.residual_std? * self.spread[j])
    }

    /// Its 95 % interval: the standard error times Student's t of the residual's freedom.
    pub(crate) fn ci95(&self, j: usize) -> Option<[f64; 2]> {
        let (value, std_err) = (self.value(j)?, self.std_err(j)?);
        let t = StudentsT::new(0.0, 1.0, self.freedom as f64).ok()?.inverse_cdf(0.975);
        Some([value - t * std_err, value + t * std_err])
    }

    /// `row . b`, if the rows determine it.
    pub(crate) fn predict(&self, row: &[f64]) -> Option<f64> {
        let scaled: Vec<f64> = row.iter().zip(&self.scales).map(|(x, s)| x / s).collect();
        let length = scaled.iter().map(|x| x * x).sum::<f64>().sqrt();
        let hidden = self.null.iter().any(|n| {
            let part: f64 = n.iter().zip(&scaled).map(|(a, b)| a * b).sum();
            part.abs() > NULL_TOLERANCE * length
        });
        (!hidden).then(|| row.iter().zip(&self.values).map(|(x, b)| x * b).sum())
    }
}

/// `X P = Q R`, cut to the directions that are determined.
struct Factors {
    /// A column for each of these directions.
    q: DMatrix<f64>,
    /// `R11^-1`, of the columns that the others are combinations of.
    inverse: DMatrix<f64>,
    /// `R12`: those others.
    rest: DMatrix<f64>,
    /// The columns of `X` in the order of `R`'s.
    order: Vec<usize>,
    /// No singular value of `X` is larger.
    largest: f64,
    /// None that was kept is smaller.
    smallest_kept: f64,
    /// None that was cut off is larger.
    largest_cut: f64,
}

impl Factors {
    fn new(x: &DMatrix<f64>) -> Self {
        let columns = x.ncols();
        let qr = x.clone().col_piv_qr();
        let r = qr.r();
        let mut order = RowDVector::from_fn(columns, |_, j| j);
        qr.p().permute_columns(&mut order);
        let diagonal = (0..r.nrows()).map(|k| r[(k, k)]);
        let pivot = diagonal.clone().fold(0.0, f64::max);
        let rank = diagonal.take_while(|d| *d > RANK_TOLERANCE * pivot).count();
        let kept = r.view((0, 0), (rank, rank));
        let inverse = kept.solve_upper_triangular(&DMatrix::identity(rank, rank));
        let Some(inverse) = inverse else { unreachable!("its diagonal is not zero") };
        Self {
            q: qr.q().columns(0, rank).into_owned(),
            rest: r.view((0, rank), (rank, columns - rank)).into_owned(),
            order: order.iter().copied().collect(),
            largest: r.norm(),
            smallest_kept: 1.0 / inverse.norm(),
            largest_cut: r.view((rank, rank), (r.nrows() - rank, columns - rank)).norm(),
            inverse,
        }
    }

    fn rank(&self) -> usize {
        self.q.ncols()
    }

    /// Orthonormal directions in which the rows say nothing.
    fn null(&self) -> Vec<Vec<f64>> {
        let (columns, free) = (self.order.len(), self.rest.ncols());
        if free == 0 {
            return Vec::new();
        }
        let mut basis = DMatrix::zeros(columns, free);
        let combinations = -(&self.inverse * &self.rest);
        for (k, &j) in self.order.iter().enumerate() {
            match k.checked_sub(self.rank()) {
                Some(own) => basis[(j, own)] = 1.0,
                None => basis.row_mut(j).copy_from(&combinations.row(k)),
            }
        }
        let q = basis.qr().q();
        q.column_iter().map(|n| n.iter().copied().collect()).collect()
    }

    /// Per row what the others predict of it, by the hat matrix `Q Q'`: with residual `e` and
    /// leverage `h` it is `y - e / (1 - h)`. Without the row no singular value falls below
    /// `sqrt(1 - h)` of what it was, and none rises by more than the columns' scales fall, which
    /// `growth` says; where that leaves open which directions are determined, there is none.
    fn left_out(
        &self,
        y: &DVector<f64>,
        weights: &DVector<f64>,
        growth: &[f64],
    ) -> Vec<Option<f64>> {
        let predict = |(i, growth): (usize, &f64)| {
            let own = self.q.row(i);
            let leverage = own.norm_squared();
            let fitted: f64 = own.iter().zip(weights.iter()).map(|(q, w)| q * w).sum();
            let least = RANK_TOLERANCE * RANK_MARGIN * self.largest * growth;
            let stay = self.smallest_kept * (1.0 - leverage).max(0.0).sqrt() > least;
            // A scaled column's largest entry is one, and so is at least the largest value.
            let stay_cut = self.largest_cut * growth * RANK_MARGIN < RANK_TOLERANCE;
            let told = leverage < LEVERAGE && stay && stay_cut;
            told.then(|| y[i] - (y[i] - fitted) / (1.0 - leverage))
        };
        growth.iter().enumerate().map(predict).collect()
    }
}

/// Per row: the factor by which a column's scale falls without it, of all columns the most.
fn scale_growth(x: &DMatrix<f64>) -> Vec<f64> {
    let mut growth: Vec<f64> = vec![1.0; x.nrows()];
    for column in x.column_iter() {
        let (mut first, mut second, mut at) = (0.0, 0.0, 0);
        for (i, entry) in column.iter().enumerate() {
            if entry.abs() > first {
                (first, second, at) = (entry.abs(), first, i);
            } else {
                second = entry.abs().max(second);
            }
        }
        if first > second {
            growth[at] = growth[at].max(first / second);
        }
    }
    growth
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Points (0,1) (1,3) (2,4) (3,8): means 1.5 and 4, Sxx = 5, Sxy = 11, slope 2.2,
    /// intercept 4 - 3.3 = 0.7. Residuals 0.3, 0.1, -1.1, 0.7: RSS = 1.8, s^2 = 0.9,
    /// se(slope) = sqrt(0.9/5) = 0.424264, se(intercept) = sqrt(0.9 (1/4 + 2.25/5)) = 0.793725.
    /// t(0.975, 2) = 4.302653.
    #[test]
    fn a_line_by_hand() {
        let rows: Vec<Vec<f64>> = (0..4).map(|x| vec![f64::from(x), 1.0]).collect();
        let solution = Solution::new(&rows, &[1.0, 3.0, 4.0, 8.0]);
        let near = |got: Option<f64>, want: f64| {
            let got = got.unwrap();
            assert!((got - want).abs() < 1e-6, "{got} is not {want}");
        };
        near(solution.value(0), 2.2);
        near(solution.value(1), 0.7);
        near(solution.std_err(0), 0.424_264);
        near(solution.std_err(1), 0.793_725);
        let [low, high] = solution.ci95(0).unwrap();
        near(Some(low), 2.2 - 4.302_653 * 0.424_264_1);
        near(Some(high), 2.2 + 4.302_653 * 0.424_264_1);
        near(solution.predict(&[10.0, 1.0]), 22.7);
    }

    #[test]
    fn two_points_leave_no_residual() {
        let solution = Solution::new(&[vec![1.0, 1.0], vec![2.0, 1.0]], &[3.0, 5.0]);
        assert!((solution.value(0).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!((solution.std_err(0), solution.ci95(0)), (None, None));
    }

    /// The second column is three times the first: only `b0 + 3 b1` is determined.
    #[test]
    fn what_the_rows_do_not_determine_is_none() {
        let rows: Vec<Vec<f64>> = [1.0, 2.0, 4.0].map(|x| vec![x, 3.0 * x, 1.0]).into();
        let solution = Solution::new(&rows, &[8.0, 15.0, 29.0]);
        assert_eq!((solution.value(0), solution.value(1)), (None, None));
        assert!((solution.value(2).unwrap() - 1.0).abs() < 1e-9);
        assert!((solution.predict(&[5.0, 15.0, 1.0]).unwrap() - 36.0).abs() < 1e-9);
        assert_eq!(solution.predict(&[5.0, 14.0, 1.0]), None);
    }

    /// The line by hand without its point (3,8): (0,1) (1,3) (2,4) has slope 1.5 and intercept 7/6,
    /// so 17/3 at 3.
    #[test]
    fn a_point_left_out_by_hand() {
        let rows: Vec<Vec<f64>> = (0..4).map(|x| vec![f64::from(x), 1.0]).collect();
        let solution = Solution::new(&rows, &[1.0, 3.0, 4.0, 8.0]);
        let predicted = solution.left_out(3).unwrap();
        assert!((predicted - 17.0 / 3.0).abs() < 1e-9, "{predicted}");
        assert!((0..4).all(|i| solution.left_out(i).is_some()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Columns of bytes beside indicators, independent, proportional, or off that by anything
        /// from nothing to as much again: what the factorisation tells is what refitting tells.
        #[test]
        fn leaving_out_is_refitting(
            cells in prop::collection::vec((1u32..400, 1u32..400, 0usize..3, -1.0..1.0f64), 2..24),
            near in 0i32..48,
            apart in any::<bool>(),
            noise in prop::sample::select(vec![0.0, 1.0, 1e6]),
        ) {
            let rows: Vec<Vec<f64>> = cells.iter().map(|&(x, z, tier, _)| {
                let x = f64::from(x) * f64::from(1 << 24);
                let off = f64::from(z) * f64::from(1 << 24) * 0.5f64.powi(near);
                let second = if apart { off } else { (3.0 * x + off).round() };
                let indicator = |t: usize| if t == tier { 1.0 } else { 0.0 };
                vec![x, second, indicator(0), indicator(1), indicator(2)]
            }).collect();
            let y: Vec<f64> = rows.iter().zip(&cells).map(|(r, cell)| {
                2.0 * r[0] + r[1] + 1e7 * (1.0 + r[2]) + noise * cell.3
            }).collect();
            let solution = Solution::new(&rows, &y);
            let largest = y.iter().fold(0.0, |a: f64, y| a.max(*y));
            if noise == 0.0 {
                for (row, y) in rows.iter().zip(&y) {
                    let far = (solution.predict(row).unwrap() - y).abs();
                    prop_assert!(far <= 1e-7 * largest, "off by {far} of {y}");
                }
            }
            for i in 0..rows.len() {
                let Some(told) = solution.left_out(i) else { continue };
                let (mut others, mut rest) = (rows.clone(), y.clone());
                let row = others.remove(i);
                rest.remove(i);
                let again = Solution::new(&others, &rest).predict(&row);
                prop_assert!(again.is_some(), "{i}: {told:?} was not determined");
                let far = (told - again.unwrap()).abs();
                prop_assert!(far <= 1e-7 * largest, "{i}: {told:?} {again:?}");
            }
        }
    }
}
