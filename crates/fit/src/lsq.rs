//! Linear least squares that says what its rows do not determine.

use nalgebra::{DMatrix, DVector};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A direction whose singular value is this much smaller than the largest is not determined. The
/// data are exact integers below 2^53, so what is determined lies far above.
const RANK_TOLERANCE: f64 = 1e-9;

/// A coefficient with a larger part than this in an undetermined direction is not determined.
const NULL_TOLERANCE: f64 = 1e-6;

/// The least-squares solution of `X b = y`.
#[derive(Debug)]
pub(crate) struct Solution {
    values: Vec<f64>,
    /// Per coefficient: `sqrt(diag((X'X)^+))`, the standard error in units of the residual's.
    spread: Vec<f64>,
    /// Orthonormal directions in which the rows say nothing, in scaled coordinates.
    null: Vec<Vec<f64>>,
    scales: Vec<f64>,
    residual_std: Option<f64>,
    freedom: usize,
}

impl Solution {
    /// Solves with columns scaled to one, so that bytes and indicators weigh alike.
    pub(crate) fn new(rows: &[Vec<f64>], y: &[f64]) -> Self {
        // Without rows there is still a direction of which nothing is known.
        let columns = rows.first().map_or(1, Vec::len);
        let scales: Vec<f64> = (0..columns)
            .map(|j| rows.iter().fold(0.0, |a: f64, r| a.max(r[j].abs())))
            .map(|s| if s > 0.0 { s } else { 1.0 })
            .collect();
        // Zero rows below make the matrix tall, so that the decomposition has every direction.
        let height = rows.len().max(columns);
        let cell = |i: usize, j: usize| rows.get(i).map_or(0.0, |r| r[j] / scales[j]);
        let x = DMatrix::from_fn(height, columns, cell);
        let y = DVector::from_fn(height, |i, _| y.get(i).copied().unwrap_or(0.0));
        let svd = x.clone().svd(true, true);
        let (Some(u), Some(vt)) = (&svd.u, &svd.v_t) else {
            unreachable!("both factors were asked for")
        };
        let largest = svd.singular_values.iter().fold(0.0, |a: f64, s| a.max(*s));
        let kept = |s: f64| s > RANK_TOLERANCE * largest;

        let mut scaled = DVector::zeros(columns);
        let mut variance = vec![0.0; columns];
        let mut null = Vec::new();
        for (k, &s) in svd.singular_values.iter().enumerate() {
            let direction = vt.row(k);
            if kept(s) {
                scaled += direction.transpose() * (u.column(k).dot(&y) / s);
                for (v, d) in variance.iter_mut().zip(direction.iter()) {
                    *v += (d / s).powi(2);
                }
            } else {
                null.push(direction.iter().copied().collect());
            }
        }
        let freedom = rows.len() - (columns - null.len()).min(rows.len());
        let residuals = &y - &x * &scaled;
        let residual_std =
            (freedom > 0).then(|| (residuals.norm_squared() / freedom as f64).sqrt());
        Self {
            values: scaled.iter().zip(&scales).map(|(b, s)| b / s).collect(),
            spread: variance.iter().zip(&scales).map(|(v, s)| v.sqrt() / s).collect(),
            null,
            scales,
            residual_std,
            freedom,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
