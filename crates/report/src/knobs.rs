//! Runs that differ in one size: how the measured peak grows with it.

use std::collections::HashMap;

use vram_artifacts::run_record::RunRecord;
use vram_workload::extent::SizeParam;

/// A size in which runs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// One that is a factor of buffers' lengths.
    Size(SizeParam),
    /// Bytes per element, as the published ring term counts them.
    Precision,
}

/// Every knob, in the order of the published section 6.
pub const KNOBS: [Knob; 6] = [
    Knob::Size(SizeParam::Batch),
    Knob::Size(SizeParam::SynthLen),
    Knob::Size(SizeParam::RingLen),
    Knob::Size(SizeParam::SlotDim),
    Knob::Precision,
    Knob::Size(SizeParam::OutDim),
];

impl Knob {
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
    pub knob: Knob,
    /// The base row.
    pub base: &'a RunRecord,
    /// The other row.
    pub other: &'a RunRecord,
    /// Factor on the size.
    pub factor: f64,
    /// `ln(peak ratio) / ln(factor)` of peak allocated: 1 is linear, 0 is no effect.
    pub elasticity: f64,
}

/// The knobs in which two runs differ.
fn differences<'a>(a: &'a RunRecord, b: &'a RunRecord) -> Vec<Knob> {
    KNOBS.into_iter().filter(|knob| knob.value(a) != knob.value(b)).collect()
}

/// Whether runs differ in sizes alone: one device, one step.
fn of_one_kind(a: &RunRecord, b: &RunRecord) -> bool {
    (&a.metrics.device, a.metrics.step()) == (&b.metrics.device, b.metrics.step())
}

/// Per run: how many others of its step, on its kind of device, differ from it in one size alone.
fn neighbours(runs: &[RunRecord]) -> Vec<usize> {
    let sizes: Vec<[u64; KNOBS.len()]> =
        runs.iter().map(|run| KNOBS.map(|knob| knob.value(run).to_bits())).collect();
    let mut counts = vec![0; runs.len()];
    for knob in 0..KNOBS.len() {
        // Runs that are alike but for this size, and those that share it too.
        let mut alike = HashMap::new();
        let mut equal = HashMap::new();
        let keys = runs.iter().zip(&sizes).map(|(run, sizes)| {
            let mut others = *sizes;
            others[knob] = 0;
            (run.metrics.device.as_str(), run.metrics.step(), others)
        });
        let keys: Vec<_> = keys.collect();
        for (key, own) in keys.iter().zip(&sizes) {
            *alike.entry(key).or_insert(0) += 1;
            *equal.entry((key, own[knob])).or_insert(0) += 1;
        }
        for ((count, key), own) in counts.iter_mut().zip(&keys).zip(&sizes) {
            *count += alike[key] - equal[&(key, own[knob])];
        }
    }
    counts
}

/// What the rows around a base row say of each knob: the base is the row from which the most others
/// differ in one size alone. Nothing where fewer than three sizes were changed.
pub fn changes(runs: &[RunRecord]) -> Vec<Change<'_>> {
    // Of equals the last wins, and the first row is the base that a sweep names.
    let counts = neighbours(runs);
    let Some((base, _)) = runs.iter().zip(counts).rev().max_by_key(|(_, count)| *count) else {
        return Vec::new();
    };
    let alone =
        runs.iter().enumerate().filter_map(|(i, other)| match differences(base, other)[..] {
            [knob] if of_one_kind(base, other) => Some((knob, i)),
            _ => None,
        });
    let others: Vec<(Knob, usize)> = alone.collect();
    let varied = KNOBS.iter().filter(|knob| others.iter().any(|(k, _)| k == *knob));
    if varied.count() < 3 {
        return Vec::new();
    }
    let mut found: Vec<Change<'_>> = others
        .into_iter()
        .filter_map(|(knob, i)| {
            let other = &runs[i];
            let peak = |run: &RunRecord| Some(run.metrics.peak_vram_allocated_bytes? as f64);
            let factor = knob.value(other) / knob.value(base);
            let elasticity = (peak(other)? / peak(base)?).ln() / factor.ln();
            Some(Change { knob, base, other, factor, elasticity })
        })
        .collect();
    found.sort_by_key(|change| KNOBS.iter().position(|knob| *knob == change.knob));
    found
}

impl Change<'_> {
    /// Whether the row bears the published claim out; none where nothing is claimed.
    pub fn confirmed(&self) -> Option<bool> {
        self.knob.is_claimed().then(|| (self.elasticity - 1.0).abs() <= LINEAR_WITHIN)
    }
}
