//! Matrix products into buffers that exist already.
//!
//! This is the CPU library that candle's `matmul` calls, called directly: candle allocates each
//! result, and the token loop must not allocate. Products of few rows, which it would pack a large
//! matrix for, are few_rows.rs's.

use gemm::Parallelism;

use super::columns::Columns;
use super::few_rows::{Factor, FewRows};

/// A read-only row-major matrix whose rows lie `stride` elements apart.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// `rows x cols`, rows adjacent.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// `rows x cols`, rows `stride` apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(rows == 0 || cols == 0 || data.len() >= (rows - 1) * stride + cols);
        Self { data, rows, cols, row_stride: stride, col_stride: 1 }
    }

    /// The transpose, without moving anything.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// As the right matrix of a product of few rows, where it is one and that is faster.
    fn beside_few(self, rows: usize) -> Option<Factor<'a>> {
        let Self { data, rows: k, cols: n, row_stride, col_stride } = self;
        if (row_stride, col_stride) == (1, k) && rows <= FEW_FOR_TRANSPOSED {
            Some(Factor::Transposed(data))
        } else if (row_stride, col_stride) == (n, 1) && rows <= FEW {
            Some(Factor::Plain(data))
        } else {
            None
        }
    }
}

/// The library reads a right matrix as it lies in memory, but shares it between threads only where
/// there are more rows than this.
const FEW: usize = 2;

/// It packs the transpose, which takes longer than a product of so many rows.
const FEW_FOR_TRANSPOSED: usize = 48;

/// `out = a b`, or `out += a b` with `accumulate`. Rows of `out` lie `stride` apart.
pub(crate) fn matmul(out: &mut [f32], stride: usize, a: Mat, b: Mat, accumulate: bool) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "inner sizes of a matrix product");
    if m == 0 || n == 0 {
        return;
    }
    if a.col_stride == 1
        && k > 0
        && let Some(b) = b.beside_few(m)
    {
        let out = Columns::new(out, m, n, stride);
        return FewRows { out, a: a.data, a_stride: a.row_stride, b, n, k, accumulate }.run();
    }
    assert!(stride >= n && out.len() >= (m - 1) * stride + n);
    // SAFETY: the two assertions above and those in `Mat::strided` keep every access that the
    // sizes and strides describe inside the three slices; `out` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism(m, n, k),
        );
    }
}

/// One product by this thread alone, large enough to be packed.
pub(crate) fn warm_up() {
    // A multiple of every vector width: otherwise one operand is packed elsewhere.
    const SIDE: usize = 48;
    let matrix = vec![1.0; SIDE * SIDE];
    let mut out = vec![0.0; SIDE * SIDE];
    let factor = Mat::new(&matrix, SIDE, SIDE);
    matmul(&mut out, SIDE, factor.t(), factor, false);
}

/// A product this small is finished before another thread has woken up.
const WORTH_A_THREAD: usize = 1 << 18;

fn parallelism(m: usize, n: usize, k: usize) -> Parallelism {
    if m * n * k < WORTH_A_THREAD { Parallelism::None } else { Parallelism::Rayon(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_by_hand_with_strides_and_transpose() {
        // [1 2; 3 4] [5 6; 7 8] = [19 22; 43 50], the left matrix inside rows of three.
        let a = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0];
        let b_transposed = [5.0, 7.0, 6.0, 8.0];
        let mut out = [0.0, 0.0, -1.0, 0.0, 0.0, -1.0];
        let a = Mat::strided(&a, 2, 2, 3);
        let b = Mat::new(&b_transposed, 2, 2).t();
        matmul(&mut out, 3, a, b, false);
        assert_eq!(out, [19.0, 22.0, -1.0, 43.0, 50.0, -1.0]);
        matmul(&mut out, 3, a, b, true);
        assert_eq!(out, [38.0, 44.0, -1.0, 86.0, 100.0, -1.0]);
    }
}
