//! Runs that differ in one size: how the measured peak grows with it.

use std::collections::HashMap;

use vram_artifacts::run_record::RunRecord;
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_workload::extent::SizeParam;

/// A size in which runs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariedSize {
    /// One that is a factor of buffers' lengths.
    Size(SizeParam),
    /// Bytes per element, as the published ring term counts them.
    Precision,
}

/// Every size, in the order of the published section 6.
const VARIED_SIZES: [VariedSize; 6] = [
    VariedSize::Size(SizeParam::Batch),
    VariedSize::Size(SizeParam::SynthLen),
    VariedSize::Size(SizeParam::RingLen),
    VariedSize::Size(SizeParam::SlotDim),
    VariedSize::Precision,
    VariedSize::Size(SizeParam::OutDim),
];

impl VariedSize {
    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size(size) => size.name(),
            Self::Precision => "precision",
        }
    }

    /// Whether the published text says that the peak is linear in it.
    fn is_claimed(self) -> bool {
        self != Self::Size(SizeParam::OutDim)
    }

    fn value(self, run: &RunRecord) -> f64 {
        let (ant, colony) = (&run.spec.ant, &run.spec.colony);
        let value = match self {
            Self::Size(SizeParam::Batch) => colony.batch_size,
            Self::Size(SizeParam::SynthLen) => colony.synth_len,
            Self::Size(SizeParam::RingLen) => ant.ring_len,
            Self::Size(SizeParam::SlotDim) => ant.slot_dim,
            Self::Size(SizeParam::OutDim) => run.metrics.out_dim,
            Self::Precision => ant.precision.bytes_per_elem().unwrap_or(0),
        };
        value as f64
    }
}

/// A measured elasticity this far from 1 is not linear.
pub const LINEAR_WITHIN: f64 = 0.02;

/// One row against the base, in the one size in which they differ.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The size.
    pub size: VariedSize,
    /// The base row.
    pub base: &'a RunRecord,
    /// The other row.
    pub other: &'a RunRecord,
    /// Factor on the size.
    pub factor: f64,
    /// `ln(peak ratio) / ln(factor)` of peak allocated: 1 is linear, 0 is no effect.
    pub elasticity: f64,
}

/// The sizes in which two runs differ.
fn differences<'a>(a: &'a RunRecord, b: &'a RunRecord) -> Vec<VariedSize> {
    VARIED_SIZES.into_iter().filter(|size| size.value(a) != size.value(b)).collect()
}

/// Whether runs differ in sizes alone: one device, one step, one tape.
fn of_one_kind(a: &RunRecord, b: &RunRecord) -> bool {
    kind(a) == kind(b)
}

fn kind(run: &RunRecord) -> (&str, StepKind, Option<TapeKind>) {
    (&run.metrics.device, run.metrics.step(), run.metrics.tape())
}

/// Per run: how many others of its step and tape, on its kind of device, differ from it in one size alone.
fn differing_in_one(runs: &[&RunRecord]) -> Vec<usize> {
    let sizes: Vec<[u64; VARIED_SIZES.len()]> =
        runs.iter().map(|run| VARIED_SIZES.map(|size| size.value(run).to_bits())).collect();
    let mut counts = vec![0; runs.len()];
    for size in 0..VARIED_SIZES.len() {
        // Runs that are alike but for this size, and those that share it too.
        let mut alike = HashMap::new();
        let mut equal = HashMap::new();
        let keys = runs.iter().zip(&sizes).map(|(run, sizes)| {
            let mut others = *sizes;
            others[size] = 0;
            (kind(run), others)
        });
        let keys: Vec<_> = keys.collect();
        for (key, own) in keys.iter().zip(&sizes) {
            *alike.entry(key).or_insert(0) += 1;
            *equal.entry((key, own[size])).or_insert(0) += 1;
        }
        for ((count, key), own) in counts.iter_mut().zip(&keys).zip(&sizes) {
            *count += alike[key] - equal[&(key, own[size])];
        }
    }
    counts
}

/// What the rows around a base row say of each size: the base is the row from which the most others
/// differ in one size alone. Nothing where fewer than three sizes were changed.
pub fn changes<'a>(runs: &[&'a RunRecord]) -> Vec<Change<'a>> {
    // Of equals the last wins, and the first row is the base that a sweep names.
    let counts = differing_in_one(runs);
    let Some((base, _)) = runs.iter().zip(counts).rev().max_by_key(|(_, count)| *count) else {
        return Vec::new();
    };
    let alone =
        runs.iter().enumerate().filter_map(|(i, other)| match differences(base, other)[..] {
            [size] if of_one_kind(base, other) => Some((size, i)),
            _ => None,
        });
    let others: Vec<(VariedSize, usize)> = alone.collect();
    let varied = VARIED_SIZES.iter().filter(|size| others.iter().any(|(k, _)| k == *size));
    if varied.count() < 3 {
        return Vec::new();
    }
    let mut found: Vec<Change<'a>> = others
        .into_iter()
        .filter_map(|(size, i)| {
            let other = runs[i];
            let peak = |run: &RunRecord| Some(run.metrics.peak_vram_allocated_bytes? as f64);
            let factor = size.value(other) / size.value(base);
            let elasticity = (peak(other)? / peak(base)?).ln() / factor.ln();
            Some(Change { size, base, other, factor, elasticity })
        })
        .collect();
    found.sort_by_key(|change| VARIED_SIZES.iter().position(|size| *size == change.size));
    found
}

impl Change<'_> {
    /// Whether the row bears the published claim out; none where nothing is claimed.
    pub fn confirmed(&self) -> Option<bool> {
        self.size.is_claimed().then(|| (self.elasticity - 1.0).abs() <= LINEAR_WITHIN)
    }
}
