//! Products `out [M,N] = a [M,K] b [K,N]` of few rows with a large matrix: what one token does with the
//! weights of a cell.
//!
//! Nothing is packed: `b` is read once, as it lies in memory, for all rows of `a`, and threads take
//! columns of `out`. Each element is one sum in one order, however the columns are dealt out.

use std::array::from_fn;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::columns::Columns;

/// How the right matrix lies in memory, row-major, rows adjacent.
#[derive(Clone, Copy)]
pub(super) enum Factor<'a> {
    /// As it is, `[K,N]`.
    Plain(&'a [f32]),
    /// As its transpose, `[N,K]`.
    Transposed(&'a [f32]),
}

/// A product, or some columns of one.
pub(super) struct FewRows<'a> {
    /// Written, or added to.
    pub(super) out: Columns<'a>,
    /// Rows of `k`, which is not zero, `a_stride` apart.
    pub(super) a: &'a [f32],
    pub(super) a_stride: usize,
    /// From the first column on that `out` has.
    pub(super) b: Factor<'a>,
    /// Columns of the whole product.
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) accumulate: bool,
}

/// Threads begin at a multiple of so many columns: whole vectors, and cache lines of their own.
const GRAIN: usize = 16;

/// What is multiplied and added in less time than it takes to hand a part to another thread.
const WORTH_A_THREAD: usize = 1 << 17;

impl FewRows<'_> {
    /// On as many threads as it is worth.
    pub(super) fn run(self) {
        let work = self.out.rows() * self.out.cols() * self.k;
        let most = (work / WORTH_A_THREAD).min(self.out.cols() / GRAIN);
        match most {
            0 | 1 => self.run_here(),
            most => self.run_on(most.min(rayon::current_num_threads())),
        }
    }

    fn run_on(self, threads: usize) {
        if threads < 2 {
            return self.run_here();
        }
        let left = threads / 2;
        let col = self.out.cols() * left / threads / GRAIN * GRAIN;
        let (first, second) = self.split_at(col);
        rayon::join(|| first.run_on(left), || second.run_on(threads - left));
    }

    fn run_here(self) {
        Arch::new().dispatch(self);
    }

    fn split_at(self, col: usize) -> (Self, Self) {
        let (out, second) = self.out.split_at(col);
        let b = match self.b {
            Factor::Plain(b) => Factor::Plain(&b[col..]),
            Factor::Transposed(b) => Factor::Transposed(&b[col * self.k..]),
        };
        (Self { out, ..self }, Self { out: second, b, ..self })
    }

    #[inline(always)]
    fn a_row(&self, row: usize) -> &[f32] {
        &self.a[row * self.a_stride..][..self.k]
    }
}

impl WithSimd for FewRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        match self.b {
            Factor::Plain(b) => self.multiples(simd, b),
            Factor::Transposed(b) => self.dots(simd, b),
        }
    }
}

/// Rows of `b^T` at once: enough for sums that do not wait for each other, with one row of `a` and more.
const DOTS: [usize; 4] = [8, 4, 3, 4];

impl FewRows<'_> {
    /// Elements as dot products of rows that lie in memory as they are.
    #[inline(always)]
    fn dots<S: Simd>(&mut self, simd: S, b: &[f32]) {
        let (m, n) = (self.out.rows(), self.out.cols());
        let most = DOTS[m.clamp(1, 4) - 1];
        let mut col = 0;
        while col < n {
            let width = if n - col < most { 1 } else { most };
            for row in (0..m).step_by(4) {
                let at = (row, col);
                match (m - row, width) {
                    (1, 8) => self.dot_tile::<S, 1, 8>(simd, b, at),
                    (1, 4) => self.dot_tile::<S, 1, 4>(simd, b, at),
                    (1, _) => self.dot_tile::<S, 1, 1>(simd, b, at),
                    (2, 4) => self.dot_tile::<S, 2, 4>(simd, b, at),
                    (2, _) => self.dot_tile::<S, 2, 1>(simd, b, at),
                    (3, 4) => self.dot_tile::<S, 3, 4>(simd, b, at),
                    (3, 3) => self.dot_tile::<S, 3, 3>(simd, b, at),
                    (3, _) => self.dot_tile::<S, 3, 1>(simd, b, at),
                    (_, 4) => self.dot_tile::<S, 4, 4>(simd, b, at),
                    _ => self.dot_tile::<S, 4, 1>(simd, b, at),
                }
            }
            col += width;
        }
    }

    /// `M x N` dot products: a sum in each lane, then over the lanes.
    #[inline(always)]
    fn dot_tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        b: &[f32],
        (row, col): (usize, usize),
    ) {
        let zero = simd.splat_f32s(0.0);
        let whole = self.k / S::F32_LANES;
        let a: [_; M] = from_fn(|i| self.a_row(row + i));
        let b: [_; N] = from_fn(|j| &b[(col + j) * self.k..][..self.k]);
        let a_whole: [_; M] = from_fn(|i| &S::as_simd_f32s(a[i]).0[..whole]);
        let b_whole: [_; N] = from_fn(|j| &S::as_simd_f32s(b[j]).0[..whole]);
        let mut sums = [[zero; N]; M];
        let (mut a_now, mut b_now) = ([zero; M], [zero; N]);
        for v in 0..whole {
            a_now.iter_mut().zip(&a_whole).for_each(|(now, a)| *now = a[v]);
            b_now.iter_mut().zip(&b_whole).for_each(|(now, b)| *now = b[v]);
            add_products(simd, &mut sums, &a_now, &b_now);
        }
        let rest = whole * S::F32_LANES..self.k;
        if !rest.is_empty() {
            let load = |row: &[f32]| simd.partial_load_f32s(&row[rest.clone()]);
            a_now.iter_mut().zip(&a).for_each(|(now, a)| *now = load(a));
            b_now.iter_mut().zip(&b).for_each(|(now, b)| *now = load(b));
            add_products(simd, &mut sums, &a_now, &b_now);
        }
        for (i, sums) in sums.iter().enumerate() {
            let out = &mut self.out.row(row + i)[col..col + N];
            for (out, sum) in out.iter_mut().zip(sums) {
                let before = if self.accumulate { *out } else { 0.0 };
                *out = before + simd.reduce_sum_f32s(*sum);
            }
        }
    }
}

/// `sums[i][j] += a[i] b[j]`, lane by lane.
#[inline(always)]
fn add_products<S: Simd, const M: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f32s; N]; M],
    a: &[S::f32s; M],
    b: &[S::f32s; N],
) {
    for (sums, a) in sums.iter_mut().zip(a) {
        for (sum, b) in sums.iter_mut().zip(b) {
            *sum = simd.mul_add_e_f32s(*a, *b, *sum);
        }
    }
}

/// Rows of `b` that all columns are taken through before the next: near enough to each other for the
/// memory to be read ahead.
const DEPTH: usize = 32;

impl FewRows<'_> {
    /// Rows of `out` as sums of multiples of the rows of `b`.
    #[inline(always)]
    fn multiples<S: Simd>(&mut self, simd: S, b: &[f32]) {
        // With 32 registers two rows of sums stay in them.
        let most = if S::REGISTER_COUNT < 32 { 4 } else { 8 };
        let (m, n) = (self.out.rows(), self.out.cols());
        for first in (0..self.k).step_by(DEPTH) {
            let depth = first..self.k.min(first + DEPTH);
            let mut col = 0;
            while col < n {
                let whole = (n - col) / S::F32_LANES;
                let vectors = if whole < most { whole.min(1) } else { most };
                for row in (0..m).step_by(2) {
                    let (at, depth) = ((row, col), depth.clone());
                    match (m - row, vectors) {
                        (1, 8) => self.multiples_tile::<S, 1, 8>(simd, b, at, depth),
                        (1, 4) => self.multiples_tile::<S, 1, 4>(simd, b, at, depth),
                        (1, 1) => self.multiples_tile::<S, 1, 1>(simd, b, at, depth),
                        (1, _) => self.multiples_rest::<S, 1>(simd, b, at, depth),
                        (_, 8) => self.multiples_tile::<S, 2, 8>(simd, b, at, depth),
                        (_, 4) => self.multiples_tile::<S, 2, 4>(simd, b, at, depth),
                        (_, 1) => self.multiples_tile::<S, 2, 1>(simd, b, at, depth),
                        (_, _) => self.multiples_rest::<S, 2>(simd, b, at, depth),
                    }
                }
                col += if vectors == 0 { n - col } else { vectors * S::F32_LANES };
            }
        }
    }

    /// Whether sums begin with what `out` holds, rather than with zero.
    #[inline(always)]
    fn goes_on(&self, depth: &Range<usize>) -> bool {
        self.accumulate || depth.start > 0
    }

    /// `M` rows of `N` vectors.
    #[inline(always)]
    fn multiples_tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        b: &[f32],
        (row, col): (usize, usize),
        depth: Range<usize>,
    ) {
        let zero = simd.splat_f32s(0.0);
        let cols = col..col + N * S::F32_LANES;
        let mut sums = [[zero; N]; M];
        if self.goes_on(&depth) {
            for (i, sums) in sums.iter_mut().enumerate() {
                let out = S::as_simd_f32s(&self.out.row(row + i)[cols.clone()]).0;
                sums.iter_mut().zip(out).for_each(|(sum, out)| *sum = *out);
            }
        }
        let a: [_; M] = from_fn(|i| &self.a_row(row + i)[depth.clone()]);
        let b = &b[depth.start * self.n..];
        let (mut a_now, mut b_now) = ([zero; M], [zero; N]);
        for k in 0..depth.len() {
            let b = S::as_simd_f32s(&b[k * self.n..][cols.clone()]).0;
            a_now.iter_mut().zip(&a).for_each(|(now, a)| *now = simd.splat_f32s(a[k]));
            b_now.iter_mut().zip(b).for_each(|(now, b)| *now = *b);
            add_products(simd, &mut sums, &a_now, &b_now);
        }
        for (i, sums) in sums.iter().enumerate() {
            let out = S::as_mut_simd_f32s(&mut self.out.row(row + i)[cols.clone()]).0;
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum);
        }
    }

    /// `M` rows of the last columns, less than a vector.
    #[inline(always)]
    fn multiples_rest<S: Simd, const M: usize>(
        &mut self,
        simd: S,
        b: &[f32],
        (row, col): (usize, usize),
        depth: Range<usize>,
    ) {
        let cols = col..self.out.cols();
        for i in row..row + M {
            let mut sum = simd.splat_f32s(0.0);
            if self.goes_on(&depth) {
                sum = simd.partial_load_f32s(&self.out.row(i)[cols.clone()]);
            }
            for k in depth.clone() {
                let b = simd.partial_load_f32s(&b[k * self.n..][cols.clone()]);
                sum = simd.mul_add_e_f32s(simd.splat_f32s(self.a_row(i)[k]), b, sum);
            }
            simd.partial_store_f32s(&mut self.out.row(i)[cols.clone()], sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// `[1 2; 3 4] [5 6; 7 8] = [19 22; 43 50]`, either way that the right matrix may lie.
    #[test]
    fn a_product_by_hand() {
        let a = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0];
        for b in [Factor::Plain(&[5.0, 6.0, 7.0, 8.0]), Factor::Transposed(&[5.0, 7.0, 6.0, 8.0])] {
            let mut out = [0.0, 0.0, -1.0, 0.0, 0.0, -1.0];
            let product = |out: &mut [f32], accumulate| {
                let out = Columns::new(out, 2, 2, 3);
                FewRows { out, a: &a, a_stride: 3, b, n: 2, k: 2, accumulate }.run();
            };
            product(&mut out, false);
            assert_eq!(out, [19.0, 22.0, -1.0, 43.0, 50.0, -1.0]);
            product(&mut out, true);
            assert_eq!(out, [38.0, 44.0, -1.0, 86.0, 100.0, -1.0]);
        }
    }

    /// Sizes, the left matrix and what is added to, and the right matrix both ways.
    struct Case {
        m: usize,
        n: usize,
        k: usize,
        a: Vec<f32>,
        plain: Vec<f32>,
        transposed: Vec<f32>,
        before: Vec<f32>,
    }

    impl Case {
        fn random(rng: &mut StdRng) -> Self {
            let (m, n, k) =
                (rng.random_range(1..=9), rng.random_range(1..=300), rng.random_range(1..=150));
            let mut values = |len: usize| -> Vec<f32> {
                (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
            };
            let (a, plain, before) = (values(m * (k + 3)), values(k * n), values(m * (n + 2)));
            let transposed = (0..n * k).map(|at| plain[at % k * n + at / k]).collect();
            Self { m, n, k, a, plain, transposed, before }
        }

        fn product<'a>(
            &'a self,
            out: &'a mut [f32],
            b: Factor<'a>,
            accumulate: bool,
        ) -> FewRows<'a> {
            let &Self { m, n, k, ref a, .. } = self;
            let out = Columns::new(out, m, n, n + 2);
            FewRows { out, a, a_stride: k + 3, b, n, k, accumulate }
        }

        /// The product in fp64, `[M,N]`, what is added to included.
        fn expected(&self, accumulate: bool) -> Vec<f64> {
            let element = |i: usize, j: usize| {
                let term = |l: usize| {
                    f64::from(self.a[i * (self.k + 3) + l]) * f64::from(self.plain[l * self.n + j])
                };
                let before = f64::from(self.before[i * (self.n + 2) + j]);
                (0..self.k).map(term).sum::<f64>() + if accumulate { before } else { 0.0 }
            };
            (0..self.m * self.n).map(|at| element(at / self.n, at % self.n)).collect()
        }
    }

    #[test]
    fn random_products_are_near_the_exact_ones_whatever_the_threads() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..200 {
            let case = Case::random(&mut rng);
            for accumulate in [false, true] {
                let expected = case.expected(accumulate);
                for b in [Factor::Plain(&case.plain), Factor::Transposed(&case.transposed)] {
                    let mut alone = case.before.clone();
                    case.product(&mut alone, b, accumulate).run_here();
                    let rows = alone.chunks_exact(case.n + 2).zip(expected.chunks_exact(case.n));
                    for (row, expected) in rows {
                        for (found, expected) in row.iter().zip(expected) {
                            assert!((f64::from(*found) - expected).abs() < 1e-4);
                        }
                    }
                    for threads in [2, 3, 7] {
                        let mut shared = case.before.clone();
                        case.product(&mut shared, b, accumulate).run_on(threads);
                        assert_eq!(alone, shared, "{}x{}x{}", case.m, case.n, case.k);
                    }
                    let beside = |(at, _): &(usize, &f32)| at % (case.n + 2) >= case.n;
                    let beside = alone.iter().enumerate().filter(beside);
                    assert!(beside.into_iter().all(|(at, value)| *value == case.before[at]));
                }
            }
        }
    }
}
