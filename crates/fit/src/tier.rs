//! Rows that share constants.

use std::collections::HashMap;

use crate::model::{Observation, Reserve, up};

/// The rows that share constants, and what they reserve beyond what is allocated.
pub(crate) struct Tier<'a> {
    pub(crate) key: &'a str,
    pub(crate) rows: Vec<&'a Observation>,
    /// Middle of the rows' unit sizes, for the distance between tiers.
    pub(crate) unit: f64,
    pub(crate) reserve: Beyond,
}

/// Where a row is: its tier, and its place among the tier's rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) tier: usize,
    pub(crate) at: usize,
}

/// The tiers of `rows`, in the order in which they first appear, and where each row is.
pub(crate) fn group(rows: &[Observation], reserve: Reserve) -> (Vec<Tier<'_>>, Vec<Place>) {
    let mut index: HashMap<&str, usize> = HashMap::new();
    let mut grouped: Vec<Vec<&Observation>> = Vec::new();
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let tier = *index.entry(row.tier.as_str()).or_insert(grouped.len());
        if tier == grouped.len() {
            grouped.push(Vec::new());
        }
        places.push(Place { tier, at: grouped[tier].len() });
        grouped[tier].push(row);
    }
    let tiers = grouped.into_iter().map(|rows| {
        let reserve = Beyond::of(&rows, reserve);
        let unit = median(rows.iter().map(|r| r.unit_bytes as f64).collect());
        Tier { key: &rows[0].tier, unit, reserve, rows }
    });
    (tiers.collect(), places)
}

impl Tier<'_> {
    /// The most that a row of it allocates, in bytes.
    pub(crate) fn largest_allocated(&self) -> f64 {
        self.rows.iter().map(|r| r.allocated_bytes).max().unwrap_or(0) as f64
    }

    /// The most of term `j` among its rows, in bytes.
    pub(crate) fn largest_term(&self, j: usize) -> f64 {
        self.rows.iter().map(|r| r.terms[j]).max().unwrap_or(0) as f64
    }

    /// What the rows other than the one at `at` reserve beyond what is allocated.
    pub(crate) fn reserve_without(&self, at: usize, reserve: Reserve) -> (f64, Option<u64>) {
        if self.reserve.is_every_rows {
            let out = self.reserve.beyond(self.rows[at]);
            return (self.reserve.median_without(out), self.reserve.granule);
        }
        // The row may be the one that disagreed on the granule.
        let mut others = self.rows.clone();
        others.remove(at);
        let others = Beyond::of(&others, reserve);
        (others.median(), others.granule)
    }
}

/// How much rows reserve beyond what is allocated, rounded up to their granule where they agree on
/// one.
pub(crate) struct Beyond {
    pub(crate) granule: Option<u64>,
    /// Whether any of the rows could go without changing the granule of the others.
    is_every_rows: bool,
    /// In bytes, one a row, the least first.
    sorted: Vec<f64>,
}

impl Beyond {
    fn of(rows: &[&Observation], reserve: Reserve) -> Self {
        let first = rows.first().and_then(|r| r.granule_bytes);
        let agreed = rows.iter().all(|r| {
            // An allocator that reserves less than whole granules has another granule.
            r.granule_bytes == first
                && r.reserved_bytes as f64 >= up(r.allocated_bytes as f64, first)
        });
        let granule = first.filter(|_| agreed && reserve == Reserve::Granule);
        let is_every_rows = granule.is_some()
            || reserve == Reserve::Overhead
            || rows.iter().all(|r| r.granule_bytes.is_none());
        let mut found = Self { granule, is_every_rows, sorted: Vec::new() };
        found.sorted = rows.iter().map(|r| found.beyond(r)).collect();
        found.sorted.sort_by(f64::total_cmp);
        found
    }

    fn beyond(&self, row: &Observation) -> f64 {
        row.reserved_bytes as f64 - up(row.allocated_bytes as f64, self.granule)
    }

    pub(crate) fn median(&self) -> f64 {
        middle(self.sorted.len(), |i| self.sorted[i])
    }

    /// The median of the others, where one row's is `out`.
    fn median_without(&self, out: f64) -> f64 {
        let gone = self.sorted.partition_point(|x| x.total_cmp(&out).is_lt());
        middle(self.sorted.len() - 1, |i| self.sorted[if i < gone { i } else { i + 1 }])
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    middle(values.len(), |i| values[i])
}

/// The median of `count` sorted values; even counts take the mean of the middle two.
fn middle(count: usize, value: impl Fn(usize) -> f64) -> f64 {
    let half = count / 2;
    match count {
        0 => 0.0,
        n if n % 2 == 1 => value(half),
        _ => (value(half - 1) + value(half)) / 2.0,
    }
}
