//! Columns of a matrix that threads write beside each other.

use std::marker::PhantomData;

/// Some columns of a row-major matrix, to be written.
pub(super) struct Columns<'a> {
    /// Of the first row, where the columns begin.
    first: *mut f32,
    rows: usize,
    cols: usize,
    stride: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: no other value reaches the same elements: `new` borrows the matrix, `split_at` deals it out.
unsafe impl Send for Columns<'_> {}

impl<'a> Columns<'a> {
    /// All columns of `rows x cols`, rows `stride` apart.
    pub(super) fn new(matrix: &'a mut [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(cols <= stride && (rows == 0 || (rows - 1) * stride + cols <= matrix.len()));
        Self { first: matrix.as_mut_ptr(), rows, cols, stride, owner: PhantomData }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    /// The columns before `col`, and from there on.
    pub(super) fn split_at(self, col: usize) -> (Self, Self) {
        assert!(col <= self.cols);
        let Self { first, rows, cols, stride, owner } = self;
        // `wrapping`: of no rows there may be no such place.
        let second = first.wrapping_add(col);
        let left = Self { first, rows, cols: col, stride, owner };
        (left, Self { first: second, rows, cols: cols - col, stride, owner })
    }

    /// The columns of one row.
    #[inline(always)]
    pub(super) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows);
        // SAFETY: `new` has checked that the columns of every row lie inside what it borrowed, and no
        // two parts have a column in common.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(row * self.stride), self.cols) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_beside_each_other() {
        let mut matrix = [0.0; 8];
        let (mut left, right) = Columns::new(&mut matrix, 2, 3, 4).split_at(1);
        let (mut middle, mut none) = right.split_at(2);
        assert_eq!((left.cols(), middle.cols(), none.cols(), none.rows()), (1, 2, 0, 2));
        left.row(1).fill(1.0);
        middle.row(0).fill(2.0);
        middle.row(1)[1] = 3.0;
        assert!(none.row(1).is_empty());
        assert_eq!(matrix, [0.0, 2.0, 2.0, 0.0, 1.0, 0.0, 3.0, 0.0]);
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn a_matrix_that_ends_too_early_is_refused() {
        Columns::new(&mut [0.0; 6], 2, 3, 4);
    }
}
